#!/usr/bin/env python3
"""Reads a store from its folder alone, as docs/store-format.md describes it, and prints what it holds as JSON.

Written from that page and not from the code: where the two disagree, one of them is wrong. It needs Python 3.9 and the program `zstd`,
nothing else; so its ciphers are slow, and it is no tool for large stores. It opens stores that have a key file.

Usage: store_reader.py FOLDER
"""

import fcntl
import json
import pathlib
import struct
import subprocess
import sys

MASK = 0xFFFFFFFF


class Damage(Exception):
    """What is not as the page says."""


def check(holds, what):
    if not holds:
        raise Damage(what)


# BLAKE3: https://github.com/BLAKE3-team/BLAKE3-specs

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED, CONTEXT, MATERIAL = 1, 2, 4, 8, 16, 32, 64


def compress(chaining, block, counter, length, flags):
    m = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    v = list(chaining) + list(IV[:4]) + [counter & MASK, counter >> 32, length, flags]
    for _ in range(7):
        pairs = iter(m)
        for a, b, c, d in COLUMNS + DIAGONALS:
            for word, right, left in ((next(pairs), 16, 12), (next(pairs), 8, 7)):
                v[a] = (v[a] + v[b] + word) & MASK
                x = v[d] ^ v[a]
                v[d] = (x >> right | x << 32 - right) & MASK
                v[c] = (v[c] + v[d]) & MASK
                x = v[b] ^ v[c]
                v[b] = (x >> left | x << 32 - left) & MASK
        m = [m[i] for i in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)]


def blake3(data, key=IV, flags=0):
    def node(start, end, root):
        if end - start <= 1024:
            chaining, at = key, start
            while True:
                block = data[at : min(at + 64, end)]
                last = at + 64 >= end
                kind = flags | (CHUNK_START if at == start else 0)
                kind |= (CHUNK_END | root) if last else 0
                chaining = compress(chaining, block, start // 1024, len(block), kind)
                if last:
                    return chaining
                at += 64
        left = 1024
        while left * 2 < end - start:
            left *= 2
        words = node(start, start + left, 0) + node(start + left, end, 0)
        return compress(key, struct.pack("<16I", *words), 0, 64, flags | PARENT | root)

    return struct.pack("<8I", *node(0, len(data), ROOT))


def kdf(context, key):
    inner = struct.unpack("<8I", blake3(context.encode(), flags=CONTEXT))
    return blake3(key, inner, MATERIAL)


def mac(key, message):
    return blake3(message, struct.unpack("<8I", key), KEYED)


# XChaCha20-Poly1305: RFC 8439 and draft-irtf-cfrg-xchacha


def rounds(v):
    for _ in range(10):
        for a, b, c, d in COLUMNS + DIAGONALS:
            for to, by, into, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                v[to] = (v[to] + v[by]) & MASK
                x = v[into] ^ v[to]
                v[into] = (x << turn | x >> 32 - turn) & MASK
    return v


SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def unseal(key, nonce, aad, sealed):
    check(len(nonce) == 24 and len(sealed) >= 16, "a seal is too short")
    mixed = rounds(list(SIGMA + struct.unpack("<8I", key) + struct.unpack("<4I", nonce[:16])))
    front = SIGMA + tuple(mixed[:4] + mixed[12:])
    back = struct.unpack("<3I", b"\0\0\0\0" + nonce[16:])

    def block(counter):
        start = list(front + (counter,) + back)
        return struct.pack("<16I", *((a + b) & MASK for a, b in zip(rounds(start[:]), start)))

    text, tag = sealed[:-16], sealed[-16:]
    one_time = block(0)
    r = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(one_time[16:32], "little")

    def pad(part):
        return part + bytes(-len(part) % 16)

    covered = pad(aad) + pad(text) + struct.pack("<2Q", len(aad), len(text))
    sum_ = 0
    for at in range(0, len(covered), 16):
        sum_ = (sum_ + int.from_bytes(covered[at : at + 16] + b"\1", "little")) * r % (2**130 - 5)
    check((sum_ + s) % 2**128 == int.from_bytes(tag, "little"), "a seal does not fit")
    out = bytearray()
    for n, at in enumerate(range(0, len(text), 64)):
        part = text[at : at + 64]
        stream = block(n + 1)[: len(part)]
        mixed = int.from_bytes(part, "little") ^ int.from_bytes(stream, "little")
        out += mixed.to_bytes(len(part), "little")
    return bytes(out)


# CBOR: RFC 8949


def cbor(data):
    def head(at):
        kind, info = data[at] >> 5, data[at] & 31
        if info < 24:
            return kind, info, at + 1
        size = {24: 1, 25: 2, 26: 4, 27: 8}[info]
        return kind, int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size

    def item(at):
        if data[at] >> 5 == 7:
            simple = {0xF4: False, 0xF5: True, 0xF6: None}
            check(data[at] in simple, "a number of a kind that the page does not name")
            return simple[data[at]], at + 1
        kind, number, at = head(at)
        if kind == 0:
            return number, at
        if kind == 1:
            return -1 - number, at
        if kind in (2, 3):
            part = bytes(data[at : at + number])
            check(len(part) == number, "CBOR ends too early")
            return (part if kind == 2 else part.decode()), at + number
        if kind == 4:
            items = []
            for _ in range(number):
                one, at = item(at)
                items.append(one)
            return items, at
        if kind == 5:
            fields = {}
            for _ in range(number):
                name, at = item(at)
                fields[name], at = item(at)
            return fields, at
        check(kind == 6, "not CBOR")
        one, at = item(at)
        # Tag 2: a number of more than 64 bits.
        return (int.from_bytes(one, "big") if number == 2 else one), at

    try:
        value, end = item(0)
    except (IndexError, KeyError, UnicodeDecodeError) as e:
        raise Damage("not CBOR") from e
    check(end == len(data), "something follows the CBOR")
    return value


class Group:
    def __init__(self, folder, name, master):
        self.folder, self.name = folder, name
        self.id = bytes.fromhex(name)
        file = (folder / "keys" / name).read_bytes()
        check(file[:8] == b"OWKEY 1\n", "not a key file")
        wrap = kdf("overwinter store 1 key wrap", master)
        secret = unseal(wrap, file[8:32], b"OWKEY 1\n" + self.id, file[32:])
        self.keys = {
            what: kdf("overwinter store 1 " + what, secret)
            for what in ("chunk id", "chunk cipher", "journal cipher", "journal chain")
        }
        self.chunks = {}

    def chunk(self, id_, length):
        if id_ not in self.chunks:
            name = id_.hex()
            path = self.folder / "objects" / self.name / name[:2] / name
            if not path.exists():
                found = list((self.folder / "trash").glob(f"*-{self.name}-{name}"))
                check(found, f"chunk {name} is missing")
                path = found[0]
            file = path.read_bytes()
            head, nonce, sealed = file[:9], file[9:33], file[33:]
            check(head[:4] == b"OWC1", "not a chunk")
            aad = b"overwinter chunk" + id_ + head
            plain = unseal(self.keys["chunk cipher"], nonce, aad, sealed)
            if head[4] == 1:
                unpack = ["zstd", "--decompress", "--stdout", "--quiet"]
                plain = subprocess.run(unpack, input=plain, stdout=subprocess.PIPE, check=True).stdout
            else:
                check(head[4] == 0, "a codec that the page does not name")
            check(len(plain) == struct.unpack("<I", head[5:])[0], "a chunk has another length")
            check(mac(self.keys["chunk id"], plain) == id_, "a chunk is not what its name says")
            self.chunks[id_] = plain
        check(len(self.chunks[id_]) == length, "a chunk has another length")
        return self.chunks[id_]

    def part(self, part):
        chunks = part["chunks"]
        if part["listed"]:
            chunks = cbor(b"".join(self.chunk(*one) for one in chunks))
        plain = b"".join(self.chunk(*one) for one in chunks)
        check(len(plain) == part["len"], "a part has another length")
        return plain

    def witness(self, file):
        seen = []
        for at in (512, 1024):
            slot = file[at : at + 512]
            text = b"overwinter witness" + self.id + slot[:56]
            if slot[:8] == b"OWSEEN1\n" and slot[56:88] == mac(self.keys["journal chain"], text):
                sequence, offset = struct.unpack("<2Q", slot[8:24])
                seen.append((sequence, offset, slot[24:56]))
        return max(seen, default=None)

    def journal(self):
        file = (self.folder / "groups" / self.name / "journal").read_bytes()
        check(file[:24] == b"OWJRNL1\n" + self.id, "not this group's journal")
        witness = self.witness(file)
        chain = self.keys["journal chain"]
        tip, at, sequence = mac(chain, file[:24]), 1536, 0
        bodies = []
        while at < len(file):
            front = file[at : at + 36]
            length = struct.unpack("<I", front[:4].ljust(4, b"\0"))[0]
            end = at + 36 + length
            next_tip = file[end : end + 32]
            if len(next_tip) < 32 or mac(chain, tip + file[at:end]) != next_tip:
                edge = 512 - at % 512
                lost = edge < 4 and not (any(front[:edge]) and any(front[edge:4]))
                lost = lost or length < 16 or not any(front[4:])
                last = end + 32 >= len(file) or lost
                acknowledged = witness is None or at < witness[1]
                check(last and not acknowledged, "a record of the journal is damaged")
                break
            check(struct.unpack("<Q", front[4:12])[0] == sequence, "a sequence has a gap")
            aad = b"overwinter record" + self.id + front[4:12]
            bodies.append(cbor(unseal(self.keys["journal cipher"], front[12:], aad, file[at + 36 : end])))
            tip, at, sequence = next_tip, end + 32, sequence + 1
            if witness is not None and witness[0] == sequence:
                check(witness == (sequence, at, tip), "the journal is another than its witness saw")
        check(witness is None or witness[1] <= at, "the journal is shorter than it once was")
        return bodies

    def read(self):
        generations, staged, records = {}, {}, []
        for body in self.journal():
            (kind, content), = body.items()
            if kind == "dropped":
                for number in content:
                    generations.pop(number, None)
                continue
            record = content if kind == "record" else content["record"]
            name, told = (record, None) if isinstance(record, str) else next(iter(record.items()))
            records.append(name)
            if kind == "generation":
                info = content["info"]
                number = info["generation"]
                if name == "staged":
                    staged[told["tx"]] = (number, generations.get(number))
                generations[number] = info
            elif name == "owned":
                staged.pop(told["tx"], None)
            elif name == "aborted" and told["tx"] in staged:
                number, former = staged.pop(told["tx"])
                generations.pop(number, None)
                if former is not None:
                    generations[number] = former
        return {"records": records, "generations": {n: self.generation(i) for n, i in generations.items()}}

    def generation(self, info):
        snapshot = cbor(self.part(info))
        pictures = cbor(self.part(info["pictures"])) if info.get("pictures") else []
        blobs = cbor(self.part(info["blobs"])) if info.get("blobs") else []
        for line in blobs:
            check(blake3(self.part(line["part"])) == line["hash"], "a blob is not what its name says")
        return {
            "app": snapshot["app"],
            "title": snapshot["title"],
            "revision": snapshot["revision"],
            "build": snapshot["build"]["version"],
            "length": len(snapshot["state"]),
            # Of the beginning: the chunks have been checked, and this hash takes a minute for 30 MiB.
            "state": blake3(snapshot["state"][:65536]).hex(),
            "windows": [window["name"] for window in snapshot["windows"]],
            "pictures": {one["window"]: blake3(one["picture"]["argb"]).hex() for one in pictures},
            "blobs": [line["hash"].hex() for line in blobs],
        }


def master_key(folder):
    first, digits, sum_, rest = (folder / "master").read_text().split("\n")
    key = bytes.fromhex(digits)
    check(first == "overwinter-master 1" and rest == "", "not a master key")
    check(kdf("overwinter store 1 master check", key)[:8].hex() == sum_, "the master key is damaged")
    return key


def main():
    folder = pathlib.Path(sys.argv[1])
    check((folder / "format").read_text() == "overwinter-store 1\n", "not a store of a format known here")
    with open(folder / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        master = master_key(folder)
        groups = sorted(path.name for path in (folder / "groups").iterdir())
        json.dump({name: Group(folder, name, master).read() for name in groups}, sys.stdout, indent=1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main()
    except Damage as damage:
        sys.exit(f"{sys.argv[1]}: {damage}")
