"""Advice to the C library's allocator; only glibc heeds it."""

import ctypes

import numpy as np

# glibc's DEFAULT_MMAP_THRESHOLD_MAX: the largest block it learns from.
_LARGEST_LESSON_BYTES = 32 << 20

# From glibc's malloc.h.
_M_ARENA_MAX = -8


def keep_freed_memory() -> None:
    """Let freed arrays be used again instead of being handed back to the system each time.

    glibc returns the top of its heap whenever more than twice the largest block freed so far lies
    there, so the same few megabytes were mapped and cleared for every 40 frames: a third of the
    time of the mel frames, measured. Freeing one large, never touched block teaches it better.
    Call once at a program's start; other allocators are not affected.
    """
    np.empty(_LARGEST_LESSON_BYTES - (1 << 16), dtype=np.uint8)


def use_one_arena() -> None:
    """Let all threads allocate from one heap.

    glibc gives each new thread a heap of its own, and what a model leaves in one is no use to the
    next model, which another thread loads: 42 MB more after 50 switches than after the third, once
    `keep_freed_memory` has been called. With one heap, and `give_back_freed_memory` after each
    switch, it is 1 MB (https://sourceware.org/glibc/wiki/MallocInternals, arenas). Call before
    the first thread starts.
    """
    _call("mallopt", _M_ARENA_MAX, 1)


def give_back_freed_memory() -> None:
    """Hand what was freed back to the system; call when something large has been dropped.

    A TFLite interpreter frees its tensors in the middle of the heap, where glibc keeps them:
    63 MB more after 50 switches of model than after the third, measured without this. Takes some
    milliseconds.
    """
    _call("malloc_trim", 0)


def _call(function: str, *arguments: int) -> None:
    """Call a function of the C library, where it has it."""
    found = getattr(ctypes.CDLL(None), function, None)
    if found is not None:
        found(*arguments)
