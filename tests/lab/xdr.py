"""XDR (RFC 4506), as much of it as NFSv4 needs."""

import struct
from collections.abc import Iterable


class Packer:
    """Bytes under construction; every method returns the packer."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def u32(self, *values: int) -> "Packer":
        """Unsigned 32-bit numbers (and booleans and enumerations)."""
        self._parts += [struct.pack(">I", value) for value in values]
        return self

    def u64(self, value: int) -> "Packer":
        """An unsigned 64-bit number."""
        self._parts.append(struct.pack(">Q", value))
        return self

    def fixed(self, data: bytes) -> "Packer":
        """Bytes whose length the other side knows."""
        self._parts += [data, bytes(-len(data) % 4)]
        return self

    def opaque(self, data: bytes) -> "Packer":
        """Bytes with their length before them."""
        return self.u32(len(data)).fixed(data)

    def text(self, text: str) -> "Packer":
        """A string."""
        return self.opaque(text.encode())

    def bitmap(self, bits: Iterable[int]) -> "Packer":
        """A set of bit numbers."""
        whole = sum(1 << bit for bit in set(bits))
        words: list[int] = []
        while whole:
            words.append(whole & 0xFFFFFFFF)
            whole >>= 32
        return self.u32(len(words), *words)

    def bytes(self) -> bytes:
        """Everything packed so far."""
        return b"".join(self._parts)


class Unpacker:
    """Takes values off the front of received bytes; EOFError when there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes in all, taken or not."""
        return len(self._data)

    def fixed(self, length: int) -> bytes:
        """So many bytes and their padding."""
        data = self._data[self._at : self._at + length]
        if len(data) != length:
            raise EOFError("the XDR data ends too early")
        self._at += length + -length % 4
        return data

    def u32(self) -> int:
        """An unsigned 32-bit number."""
        return int.from_bytes(self.fixed(4))

    def u64(self) -> int:
        """An unsigned 64-bit number."""
        return int.from_bytes(self.fixed(8))

    def flag(self) -> bool:
        """A boolean."""
        return self.u32() != 0

    def opaque(self) -> bytes:
        """Bytes with their length before them."""
        return self.fixed(self.u32())

    def text(self) -> str:
        """A string."""
        return self.opaque().decode(errors="surrogateescape")

    def bitmap(self) -> list[int]:
        """Bit numbers, ascending."""
        words = [self.u32() for _ in range(self.u32())]
        return [32 * n + b for n, word in enumerate(words) for b in range(32) if word >> b & 1]
