"""Taking plain tars apart and putting strange things into them."""

import io
import tarfile

BLOCK = 512


def members(raw):
    """-> [TarInfo] with offset (of the first header, extended ones included) and offset_data."""
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
        return tar.getmembers()


def end_of(info):
    """Offset behind a member's data."""
    return info.offset_data + (info.size + BLOCK - 1) // BLOCK * BLOCK if info.isreg() \
        else info.offset_data


def finish(raw):
    """Adds the end of archive and WAL-E's padding."""
    raw += bytes(2 * BLOCK)
    return raw + bytes(-len(raw) % tarfile.RECORDSIZE)


def header(**fields):
    info = tarfile.TarInfo(fields.pop("name"))
    info.mode = 0o600
    for name, value in fields.items():
        setattr(info, name, value)
    return info


def pad(data):
    return data + bytes(-len(data) % BLOCK)


def octal(number, width):
    """A tar number: octal, or base 256 where that has no room."""
    text = f"{number:0{width - 1}o}"
    if len(text) < width:
        return text.encode() + b"\0"
    return b"\x80" + number.to_bytes(width - 1, "big")


def checksum(block):
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def sparse_gnu(name, size):
    """An old GNU sparse member: one block of data at the end of `size` bytes."""
    block = bytearray(header(name=name, size=BLOCK).tobuf(tarfile.GNU_FORMAT))
    block[156:157] = b"S"
    block[386:398] = octal(size - BLOCK, 12)
    block[398:410] = octal(BLOCK, 12)
    block[482:483] = b"\0"
    block[483:495] = octal(size, 12)
    return checksum(block) + bytes(BLOCK)


def sparse_pax(name, size):
    """The same in PAX form 1.0, whose map stands before the data."""
    content = pad(f"1\n{size - BLOCK}\n{BLOCK}\n".encode()) + bytes(BLOCK)
    info = header(name=f"GNUSparseFile.0/{name.rsplit('/', 1)[-1]}", size=len(content))
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                        "GNU.sparse.name": name, "GNU.sparse.realsize": str(size)}
    return info.tobuf(tarfile.PAX_FORMAT) + content


def member(spec):
    """One member from breakages.yaml. -> (bytes, size that an honest sentinel counts)"""
    name = spec["name"]
    if "link" in spec:
        return header(name=name, type=tarfile.SYMTYPE, linkname=spec["link"]).tobuf(), 0
    if "hardlink" in spec:
        return header(name=name, type=tarfile.LNKTYPE, linkname=spec["hardlink"]).tobuf(), 0
    if "device" in spec:
        major, minor = spec["device"]
        return header(name=name, type=tarfile.CHRTYPE, devmajor=major, devminor=minor).tobuf(), 0
    if "fifo" in spec:
        return header(name=name, type=tarfile.FIFOTYPE).tobuf(), 0
    if "sparse_gnu" in spec:
        return sparse_gnu(name, spec["sparse_gnu"]), BLOCK
    if "sparse_pax" in spec:
        return sparse_pax(name, spec["sparse_pax"]), BLOCK
    if "claim" in spec:
        return header(name=name, size=spec["claim"]).tobuf() + bytes(BLOCK), BLOCK
    data = spec["data"].encode()
    return header(name=name, size=len(data)).tobuf() + pad(data), len(data)
