"""GGUF v3: writer, reader and the block formats the story models use.

File: "GGUF", u32 version, u64 tensor count, u64 key count; keys (string, u32 type, value); tensors
(string, u32 dims, u64 each - innermost first -, u32 type, u64 offset); padding to 32; tensor data,
each tensor at a multiple of 32. Strings are u64 length + bytes, all numbers little-endian.

    F32, F16     as they are
    Q8_0         32 values: f16 d, 32 int8;                        value = q d
    TQ2_0        256 values: 64 bytes of 2-bit codes, f16 d;       value = (code - 1) d
                 byte 32 g + m holds value 128 g + m + 32 n in bits 2n, 2n + 1  (g 0..1, n 0..3)

Q8_0 is quantised with the inverse of the d that is stored: d = f16(max|x| / 127),
q = round(x / d), halves away from zero. TQ2_0 is written with d = 1: its scale is a tensor beside.
"""
import struct

import numpy as np

ALIGN = 32
F32, F16, Q8_0, TQ2_0 = 0, 1, 8, 35
TYPE_NAMES = {F32: "F32", F16: "F16", Q8_0: "Q8_0", TQ2_0: "TQ2_0"}
BLOCK = {F32: (1, 4), F16: (1, 2), Q8_0: (32, 34), TQ2_0: (256, 66)}        # values, bytes

# key value types
U8, I8, U16, I16, U32, I32, FLOAT, BOOL, STRING, ARRAY, U64, I64, DOUBLE = range(13)
PACK = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", FLOAT: "<f", BOOL: "<?",
        U64: "<Q", I64: "<q", DOUBLE: "<d"}


def q8_0_pack(x):
    x = np.ascontiguousarray(x, np.float32).reshape(-1, 32)
    d = (np.abs(x).max(1) / np.float32(127)).astype(np.float16)
    wide = d.astype(np.float32)
    inverse = np.divide(np.float32(1), wide, out=np.zeros_like(wide), where=wide > 0)
    y = x * inverse[:, None]
    q = np.clip(np.trunc(y + np.copysign(np.float32(0.5), y)), -127, 127).astype(np.int8)
    out = np.empty((len(x), 34), np.uint8)
    out[:, :2] = d.view(np.uint8).reshape(-1, 2)
    out[:, 2:] = q.view(np.uint8)
    return out.tobytes()


def q8_0_unpack(raw, count):
    b = np.frombuffer(raw, np.uint8).reshape(-1, 34)
    d = b[:, :2].copy().view(np.float16).astype(np.float32)
    return (b[:, 2:].copy().view(np.int8).astype(np.float32) * d).reshape(-1)[:count]


def tq2_0_pack(codes):
    """codes: -1, 0, 1."""
    c = (np.asarray(codes).reshape(-1, 2, 4, 32) + 1).astype(np.uint8)      # block, g, n, m
    packed = c[:, :, 0] | c[:, :, 1] << 2 | c[:, :, 2] << 4 | c[:, :, 3] << 6
    out = np.empty((len(c), 66), np.uint8)
    out[:, :64] = packed.reshape(-1, 64)
    out[:, 64:] = np.frombuffer(np.float16(1).tobytes(), np.uint8)
    return out.tobytes()


def tq2_0_unpack(raw, count):
    b = np.frombuffer(raw, np.uint8).reshape(-1, 66)
    d = b[:, 64:].copy().view(np.float16).astype(np.float32)
    q = b[:, :64].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1) & 3
    return ((q.reshape(-1, 256).astype(np.float32) - 1) * d).reshape(-1)[:count]


def encode(array, kind):
    if kind == F32:
        return np.ascontiguousarray(array, "<f4").tobytes()
    if kind == F16:
        return np.ascontiguousarray(array, "<f2").tobytes()
    return {Q8_0: q8_0_pack, TQ2_0: tq2_0_pack}[kind](array)


def decode(raw, kind, count):
    if kind in (F32, F16):
        return np.frombuffer(raw, {F32: "<f4", F16: "<f2"}[kind]).astype(np.float32)
    return {Q8_0: q8_0_unpack, TQ2_0: tq2_0_unpack}[kind](raw, count)


def text(s):
    data = s.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, v):
    if kind == STRING:
        return text(v)
    if kind == ARRAY:
        item, items = v
        return struct.pack("<IQ", item, len(items)) + b"".join(value(item, i) for i in items)
    return struct.pack(PACK[kind], v)


def write(path, keys, tensors):
    """keys: [(name, type, value)], an array's value is (item type, items);
    tensors: [(name, array [.., out, in], type)]. Returns the size."""
    blobs = [(name, a.shape[::-1], kind, encode(a, kind)) for name, a, kind in tensors]
    head = [b"GGUF", struct.pack("<IQQ", 3, len(blobs), len(keys))]
    for name, kind, v in keys:
        head.append(text(name) + struct.pack("<I", kind) + value(kind, v))
    offset = 0
    for name, dims, kind, blob in blobs:
        head.append(text(name) + struct.pack("<I", len(dims))
                    + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", kind, offset))
        offset += len(blob) + -len(blob) % ALIGN
    head = b"".join(head)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % ALIGN))
        for _, _, _, blob in blobs:
            f.write(blob + bytes(-len(blob) % ALIGN))
        return f.tell()


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, fmt):
        v, = struct.unpack_from(fmt, self.data, self.at)
        self.at += struct.calcsize(fmt)
        return v

    def string(self):
        n = self.number("<Q")
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            item, n = self.number("<I"), self.number("<Q")
            return [self.value(item) for _ in range(n)]
        return self.number(PACK[kind])


def read(paths):
    """Reads a file, or the files of a split model: (keys of the first, {name: (array, type)})."""
    first, tensors = None, {}
    for path in paths:
        with open(path, "rb") as f:
            c = Cursor(f.read())
        if c.data[:4] != b"GGUF":
            raise ValueError(f"{path}: not a GGUF file")
        c.at = 4
        version, count, n_keys = c.number("<I"), c.number("<Q"), c.number("<Q")
        if version != 3:
            raise ValueError(f"{path}: version {version}")
        keys = {}
        for _ in range(n_keys):
            name = c.string()
            keys[name] = c.value(c.number("<I"))
        infos = []
        for _ in range(count):
            name = c.string()
            dims = [c.number("<Q") for _ in range(c.number("<I"))]
            infos.append((name, dims, c.number("<I"), c.number("<Q")))
        base = c.at + -c.at % ALIGN
        for name, dims, kind, offset in infos:
            n = int(np.prod(dims))
            per, size = BLOCK[kind]
            raw = c.data[base + offset:base + offset + n // per * size]
            tensors[name] = decode(raw, kind, n).reshape(dims[::-1]), kind
        first = first or keys
    return first, tensors
