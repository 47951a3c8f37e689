import gzip, zlib, brotli, zstandard, os, io
D='/work/wt/encoding/tests/data/encodings/'
def w(n,b):
    open(D+n,'wb').write(b); print(n,len(b))
import random
r=random.Random(4)
text=('{"model_name":"m","outputs":[{"name":"p","shape":[1,1200],"datatype":"FP32","data":['+','.join(repr(round(r.random(),7)) for _ in range(1200))+']}]}').encode()
w('answer.json',text)
w('answer.gz',gzip.compress(text,6,mtime=0))
b=io.BytesIO()
g=gzip.GzipFile('answer.json','wb',9,b,mtime=1); g.write(text); g.close()
w('named.gz',b.getvalue())
half=len(text)//2
w('members.gz',gzip.compress(text[:half],1,mtime=0)+gzip.compress(b'',mtime=0)+gzip.compress(text[half:],0,mtime=0))
w('answer.zlib',zlib.compress(text,6))
c=zlib.compressobj(9,zlib.DEFLATED,-15); w('answer.deflate',c.compress(text)+c.flush())
w('answer.br',brotli.compress(text,quality=5))
w('answer.br.window24',brotli.compress(text,lgwin=24))
w('answer.zst',zstandard.ZstdCompressor(level=3,write_checksum=True).compress(text))
co=zstandard.ZstdCompressor(level=19).compressobj()
w('streamed.zst',b''.join([co.compress(text[:5000]),co.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK),co.compress(text[5000:]),co.flush()]))
skip=b'\x53\x2a\x4d\x18\x05\0\0\0hello'
z=zstandard.ZstdCompressor(write_checksum=True)
w('frames.zst',z.compress(text[:half])+skip+z.compress(b'')+z.compress(text[half:]))
# several blocks, some random, some of one byte
long=bytes(r.randrange(256) for _ in range(1000))
long=(text+long+bytes(200_000)+text[:777]*300+long)
import struct
w('long.zst',zstandard.ZstdCompressor(level=3,write_checksum=True).compress(long))
w('long.br',brotli.compress(long,quality=9,lgwin=16))
w('long.gz',gzip.compress(long,9,mtime=0))
# chains
w('answer.gz.gz',gzip.compress(gzip.compress(text,mtime=0),mtime=0))
w('answer.br.gz',gzip.compress(brotli.compress(text),mtime=0))
w('answer.zst.deflate.br.gz',gzip.compress(brotli.compress(zlib.compress(z.compress(text))),mtime=0))
# bombs: 1 GiB of zeros
G=1<<30; zero=bytes(1<<20)
def stream(comp, fin):
    out=[]
    for _ in range(G>>20): out.append(comp(zero))
    out.append(fin()); return b''.join(out)
c=zlib.compressobj(9,zlib.DEFLATED,31); bomb=stream(c.compress,c.flush)
w('bomb.gz.gz',gzip.compress(bomb,9,mtime=0))
w('bomb.gz.br',brotli.compress(bomb))
br=brotli.Compressor(quality=9); bb=stream(br.process,br.finish)
w('bomb.br',bb)
co=zstandard.ZstdCompressor(level=3).compressobj(); zb=stream(co.compress,co.flush)
w('bomb.zst.gz',gzip.compress(zb,9,mtime=0))
# windows
co=zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=24)).compressobj()
w('window24.zst',co.compress(text)+co.flush())
co=zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=23)).compressobj()
w('window23.zst',co.compress(text)+co.flush())
