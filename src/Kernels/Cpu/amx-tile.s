# The micro-kernels of AmxTile.cs, in the processor's tile registers. amx-tile.py assembles this into AmxCode.g.cs; run that after a change.
#
# A packed strip is a run of blocks of 32 elements of K, 6 KiB each: planes of high, middle and low parts of 2 KiB, a plane two tiles of 16
# rows (of A) or columns (of B), a tile 16 lines of 64 bytes. A product of two floats is six products of their parts: high x low, high x middle,
# middle x middle, middle x high, high x high, low x high. What is left out is 2^-24 of it or less. One part of the last product stays in its registers for
# the next, so that a block takes 14 loads for 24 multiplications.
#
# Arguments come as a structure (AmxCall) in rdi: 0 blocks, 8 A, 16 B, 24 where the tile goes, 32 bytes from row to row there, 40 line to fetch, 48 bytes
# to the next line, 56 first row of C to fetch, 64 bytes to the next row, 72 first row no longer to fetch.
# Only registers that a called function may change are used. Tiles 0 to 3 hold C, 4 and 5 a plane of A, 6 and 7 one of B.

        .intel_syntax noprefix
        .text

        .macro  arguments
        mov     rax, [rdi]
        mov     rsi, [rdi + 8]
        mov     rdx, [rdi + 16]
        mov     r8, [rdi + 40]
        mov     r9, [rdi + 48]
        mov     r10, [rdi + 56]
        mov     r11, [rdi + 64]
        mov     ecx, 64
        .endm

        .macro  load_a plane
        tileloadd tmm4, [rsi + rcx + \plane * 2048]
        tileloadd tmm5, [rsi + rcx + \plane * 2048 + 1024]
        .endm

        .macro  load_b plane
        tileloadd tmm6, [rdx + rcx + \plane * 2048]
        tileloadd tmm7, [rdx + rcx + \plane * 2048 + 1024]
        .endm

        .macro  fetch
        prefetcht1 [r8]
        add     r8, r9
        .endm

# Two rows of C, long before the tile ends and is stored or added there.
        .macro  expect
        cmp     r10, [rdi + 72]
        jae     9f
        prefetcht1 [r10]
        prefetcht1 [r10 + 64]
        prefetcht1 [r10 + r11]
        prefetcht1 [r10 + r11 + 64]
        lea     r10, [r10 + r11 * 2]
9:
        .endm

        .macro  multiply
        tdpbf16ps tmm0, tmm4, tmm6
        fetch
        tdpbf16ps tmm1, tmm4, tmm7
        tdpbf16ps tmm2, tmm5, tmm6
        tdpbf16ps tmm3, tmm5, tmm7
        .endm

# The thread's tile registers: eight of 16 lines of 64 bytes, as the structure in rdi says.
begin:
        ldtilecfg [rdi]
        ret

# Their end: a thread whose tiles are in use costs more to switch.
end:
        tilerelease
        ret

# 32 x 32 of C.
whole:
        arguments
        tilezero tmm0
        tilezero tmm1
        tilezero tmm2
        tilezero tmm3
1:
        load_a  0
        load_b  2
        multiply
        load_b  1
        multiply
        fetch
        load_a  1
        multiply
        expect
        load_b  0
        multiply
        fetch
        load_a  0
        multiply
        load_a  2
        multiply
        expect
        add     rsi, 6144
        add     rdx, 6144
        dec     rax
        jnz     1b
        mov     rsi, [rdi + 24]
        mov     rcx, [rdi + 32]
        tilestored [rsi + rcx], tmm0
        tilestored [rsi + rcx + 64], tmm1
        mov     rax, rcx
        shl     rax, 4
        add     rsi, rax
        tilestored [rsi + rcx], tmm2
        tilestored [rsi + rcx + 64], tmm3
        ret

# The first 16 x 32 of C: half the multiplications where no more rows exist.
half:
        arguments
        tilezero tmm0
        tilezero tmm1
2:
        tileloadd tmm4, [rsi + rcx]
        tileloadd tmm5, [rsi + rcx + 2048]
        load_b  2
        tdpbf16ps tmm0, tmm4, tmm6
        fetch
        fetch
        tdpbf16ps tmm1, tmm4, tmm7
        load_b  1
        tdpbf16ps tmm0, tmm4, tmm6
        fetch
        fetch
        tdpbf16ps tmm1, tmm4, tmm7
        tdpbf16ps tmm0, tmm5, tmm6
        fetch
        fetch
        tdpbf16ps tmm1, tmm5, tmm7
        expect
        load_b  0
        tdpbf16ps tmm0, tmm5, tmm6
        fetch
        fetch
        tdpbf16ps tmm1, tmm5, tmm7
        tdpbf16ps tmm0, tmm4, tmm6
        tdpbf16ps tmm1, tmm4, tmm7
        tileloadd tmm4, [rsi + rcx + 4096]
        tdpbf16ps tmm0, tmm4, tmm6
        tdpbf16ps tmm1, tmm4, tmm7
        add     rsi, 6144
        add     rdx, 6144
        dec     rax
        jnz     2b
        mov     rsi, [rdi + 24]
        mov     rcx, [rdi + 32]
        tilestored [rsi + rcx], tmm0
        tilestored [rsi + rcx + 64], tmm1
        ret
