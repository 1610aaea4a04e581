# What an installation has beside programs: `cmake --install build/PRESET --prefix /usr`.
# Configuration (/etc) is the package's: scripts/package.
set(deploy ${PROJECT_SOURCE_DIR}/deploy)
set(doc share/doc/rad-agent)
file(GLOB units CONFIGURE_DEPENDS ${deploy}/systemd/*.service ${deploy}/systemd/*.socket)
install(FILES ${units} DESTINATION lib/systemd/system)
install(FILES ${deploy}/systemd/rad-agent.sysusers.conf DESTINATION lib/sysusers.d
  RENAME rad-agent.conf)
install(FILES ${deploy}/systemd/rad-agent.tmpfiles.conf DESTINATION lib/tmpfiles.d
  RENAME rad-agent.conf)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
  ${PROJECT_SOURCE_DIR}/SECURITY.md ${deploy}/debian/copyright DESTINATION ${doc})
install(FILES ${PROJECT_SOURCE_DIR}/plugins/protocol/PROTOCOL.md DESTINATION ${doc})
foreach(plugin wal_e postgresql)
  install(FILES ${PROJECT_SOURCE_DIR}/plugins/${plugin}/README.md DESTINATION ${doc}/plugins
    RENAME ${plugin}.md)
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${doc}/docs PATTERN man EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runbooks DESTINATION ${doc})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs/ DESTINATION ${doc}/examples)
foreach(section 1 8)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.${section})
  install(FILES ${pages} DESTINATION share/man/man${section})
endforeach()
foreach(folder prometheus grafana)
  if(EXISTS ${deploy}/${folder})
    install(DIRECTORY ${deploy}/${folder} DESTINATION share/rad-agent)
  endif()
endforeach()
