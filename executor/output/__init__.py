"""Containers' output: from the shims' FIFOs to log files, without any container ever waiting for a disk.

    outputs     the executor's side: FIFOs, the log writer's life, when a container's output is complete
    process     the log writer's process as the executor holds it; wire, slots: what both share
    writer      the log writer: one process an executor, its threads and turns; flow: a log that may hang
    logfile     a log on the disk: its exact size, its rotation; places: how writer and readers agree on its files
    telling     which lost output is reported, and when
    endedlogs   the logs of pods that have ended; retention: which of them go

Why a process of its own, and plain reads and writes. Eight `yes` into FIFOs of 256 KiB, 2 CPUs shared with other
work, 6 s, rotation at 64 MiB; lag of an otherwise idle asyncio loop in the executor's place:

    reader                         MB/s        CPU s/GB     lag p99 ms   RSS MB, private
    threads in the executor        211 to 838  0.84 to 3.3  7 to 50      + 1
    one process, read and write    643 to 962  0.71 to 1.1  6 to 19      9.6, 3.3
    one process, two splice(2)     646         0.95         14           about the same

splice(2) saves nothing, for the copy into the page cache is what costs; and straight from the FIFO into a file it
would hold the pipe's lock while the disk hangs, and with it the container. Threads in the executor are as fast and
need no memory of their own. But one that hangs in a write keeps its process, and with it the executor's lock, which
proves to reapers that the executor lives; and what containers write while their executor dies is lost with it.
"""
