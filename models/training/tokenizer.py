"""Byte-level BPE: training, encoding and decoding, in plain Python.

A text is split by the GPT-2 pattern; every piece becomes bytes; the bytes are merged pair by pair
in the order in which the merges were learned. Learning counts pairs over the distinct pieces
(weighted by how often each occurs) and merges the most frequent pair, ties to the smaller pair of
ids. Ids: 0 = <|endoftext|> (BOS and EOS), 1..256 = the bytes in the order of the printable
alphabet that GGUF files of model "gpt2" use, then one id a merge.

The corpus is ASCII; `SPLIT` writes the classes \\p{L} and \\p{N} of the GPT-2 pattern for ASCII.
"""
import collections
import json
import re

END_TEXT = "<|endoftext|>"
END_ID = 0
SPLIT = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
                   re.ASCII)


def byte_alphabet():
    """Printable stand-in for each byte value: itself if printable, else 256, 257, ... in order."""
    keep = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in keep]
    table = {b: chr(b) for b in keep}
    table.update({b: chr(256 + i) for i, b in enumerate(rest)})
    return table


ALPHABET = byte_alphabet()
BYTE_IDS = {b: 1 + i for i, (b, _) in enumerate(sorted(ALPHABET.items(), key=lambda e: e[1]))}


def count_pieces(text, weight, counts):
    for piece, n in collections.Counter(SPLIT.findall(text)).items():
        counts[piece] += n * weight


def learn(counts, entries):
    """Learns `entries` - 257 merges from piece counts; returns [(left id, right id)] in rank order."""
    words, freq = [], []
    for piece, n in sorted(counts.items()):
        words.append([BYTE_IDS[b] for b in piece.encode()])
        freq.append(n)
    pairs = collections.Counter()
    where = collections.defaultdict(set)
    for w, ids in enumerate(words):
        for pair in zip(ids, ids[1:]):
            pairs[pair] += freq[w]
            where[pair].add(w)
    merges = []
    for new in range(257, entries):
        best = min(pairs.items(), key=lambda e: (-e[1], e[0]))[0]
        merges.append(best)
        for w in where.pop(best):
            ids, n = words[w], freq[w]
            for pair in zip(ids, ids[1:]):
                pairs[pair] -= n
            out, i = [], 0
            while i < len(ids):
                if i + 1 < len(ids) and (ids[i], ids[i + 1]) == best:
                    out.append(new)
                    i += 2
                else:
                    out.append(ids[i])
                    i += 1
            words[w] = out
            for pair in zip(out, out[1:]):
                pairs[pair] += n
                where[pair].add(w)
        pairs.pop(best, None)
    return merges


class Tokenizer:
    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self.rank = {m: i for i, m in enumerate(self.merges)}
        by_id = {i: bytes([b]) for b, i in BYTE_IDS.items()}
        for i, (a, b) in enumerate(self.merges):
            by_id[257 + i] = by_id[a] + by_id[b]
        self.bytes = [b""] + [by_id[i] for i in range(1, 257 + len(self.merges))]
        self.cache = {}

    def piece(self, piece):
        ids = self.cache.get(piece)
        if ids is None:
            ids = [BYTE_IDS[b] for b in piece.encode()]
            while len(ids) > 1:
                rank, at = min((self.rank.get(p, 1 << 30), i)
                               for i, p in enumerate(zip(ids, ids[1:])))
                if rank == 1 << 30:
                    break
                ids[at:at + 2] = [257 + rank]
            self.cache[piece] = ids
        return ids

    def encode(self, text):
        """Ids of a text without special tokens."""
        return [i for piece in SPLIT.findall(text) for i in self.piece(piece)]

    def decode(self, ids):
        return b"".join(self.bytes[i] for i in ids).decode("utf-8", "replace")

    def names(self):
        """Token strings as GGUF stores them, by id."""
        return [END_TEXT] + ["".join(ALPHABET[b] for b in t) for t in self.bytes[1:]]

    def merge_lines(self):
        """Merges as GGUF stores them: "left right", in rank order."""
        names = self.names()
        return [f"{names[a]} {names[b]}" for a, b in self.merges]

    def save(self, path):
        with open(path, "w") as f:
            json.dump(self.merges, f)

    @classmethod
    def load(cls, path):
        with open(path) as f:
            return cls(json.load(f))
