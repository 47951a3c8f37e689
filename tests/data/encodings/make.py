"""Writes the encoded bodies of this folder into it; see README.md."""

import gzip
import io
import random
import struct
import zlib
from pathlib import Path

import brotli
import zstandard

FOLDER = Path(__file__).parent
RANDOM = random.Random(4)
VALUES = ",".join(repr(round(RANDOM.random(), 7)) for _ in range(1200))
ANSWER = ('{"model_name":"m","outputs":[{"name":"p","shape":[1,1200],"datatype":"FP32","data":[' + VALUES + "]}]}").encode()
NOISE = bytes(RANDOM.randrange(256) for _ in range(1000))
# Some hundred kilobytes that blocks of every kind are made of.
LONG = ANSWER + NOISE + bytes(200_000) + ANSWER[:777] * 300 + NOISE
HALF = len(ANSWER) // 2
GIBIBYTE = 1 << 30


def gz(data, level=9):
    return gzip.compress(data, level, mtime=0)


def zst(data, **options):
    return zstandard.ZstdCompressor(**options).compress(data)


def named_gz():
    out = io.BytesIO()
    with gzip.GzipFile("answer.json", "wb", 9, out, mtime=1) as file:
        file.write(ANSWER)
    return out.getvalue()


def header_gz():
    """A header with all that a header can have: extra field, name, comment, its own checksum."""
    header = b"\x1f\x8b\x08\x1e\0\0\0\0\0\xff" + struct.pack("<H", 3) + b"abc" + b"name\0" + b"comment\0"
    return header + struct.pack("<H", zlib.crc32(header) & 0xFFFF) + gz(ANSWER)[10:]


def bare_deflate():
    encoder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return encoder.compress(ANSWER) + encoder.flush()


def streamed_zst():
    encoder = zstandard.ZstdCompressor(level=19).compressobj()
    flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
    return encoder.compress(ANSWER[:5000]) + encoder.flush(flush) + encoder.compress(ANSWER[5000:]) + encoder.flush()


def windowed_zst(log):
    parameters = zstandard.ZstdCompressionParameters(window_log=log)
    encoder = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return encoder.compress(ANSWER) + encoder.flush()


def frames_zst():
    skipped = b"\x53\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
    return zst(ANSWER[:HALF], write_checksum=True) + skipped + zst(b"", write_checksum=True) + zst(ANSWER[HALF:], write_checksum=True)


def zeros(encode, finish):
    piece = bytes(1 << 20)
    return b"".join(encode(piece) for _ in range(GIBIBYTE // len(piece))) + finish()


def bomb_gz():
    encoder = zlib.compressobj(9, zlib.DEFLATED, 31)
    return zeros(encoder.compress, encoder.flush)


def bomb_br():
    encoder = brotli.Compressor(quality=9)
    return zeros(encoder.process, encoder.finish)


def bomb_zst():
    encoder = zstandard.ZstdCompressor().compressobj()
    return zeros(encoder.compress, encoder.flush)


BODIES = {
    "answer.json": ANSWER,
    "answer.gz": gz(ANSWER, 6),
    "named.gz": named_gz(),
    "header.gz": header_gz(),
    "members.gz": gz(ANSWER[:HALF], 1) + gz(b"") + gz(ANSWER[HALF:], 0),
    "answer.zlib": zlib.compress(ANSWER),
    "answer.deflate": bare_deflate(),
    "answer.br": brotli.compress(ANSWER, quality=5),
    "answer.zst": zst(ANSWER, write_checksum=True),
    "streamed.zst": streamed_zst(),
    "frames.zst": frames_zst(),
    "answer.gz.gz": gz(gz(ANSWER)),
    "answer.br.gz": gz(brotli.compress(ANSWER)),
    "answer.zst.deflate.br.gz": gz(brotli.compress(zlib.compress(zst(ANSWER, write_checksum=True)))),
    "long.gz": gz(LONG),
    "long.br": brotli.compress(LONG, quality=9, lgwin=16),
    "long.zst": zst(LONG, write_checksum=True),
    "bomb.gz.gz": gz(bomb_gz()),
    "bomb.gz.br": brotli.compress(bomb_gz()),
    "bomb.br": bomb_br(),
    "bomb.zst.gz": gz(bomb_zst()),
    "window24.br": brotli.compress(ANSWER, lgwin=24),
    "window23.zst": windowed_zst(23),
    "window24.zst": windowed_zst(24),
}

for name, body in BODIES.items():
    (FOLDER / name).write_bytes(body)
