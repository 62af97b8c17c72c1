# SPDX-License-Identifier: MIT OR Apache-2.0
#
# guest.s: the demo guest, a boot sector and a few more sectors of 16-bit code
# for a PC BIOS. It shows a virtual machine's view of the configuration it was
# given, on the first serial port (COM1, 115200 8n1), and powers off.
#
# What it prints (every line of its own ends in CR LF):
#
#   ARCA-DEMO 1
#   fw_cfg NAME SIZE            each fw_cfg entry named opt/..., in the order
#                               of the fw_cfg directory
#   config NAME BEGIN           for opt/com.coreos/config and then for
#   ...                         opt/org.opensuse.combustion/script, if there:
#   config NAME END             the bytes as they are
#   disk N label LABEL          each further BIOS disk, N = 1..4 (80h + N), that
#                               is one FAT12 or FAT16 volume as a whole; or
#                               "disk N no label", or "disk N no FAT volume"
#   file PATH SIZE              for /ignition/config.ign and then for
#   config PATH BEGIN           /combustion/script, if that disk has them:
#   ...                         the bytes as they are
#   config PATH END
#   ARCA-DEMO DONE
#
# Where the bytes do not end in a line feed, a CR LF is put before "config ...
# END"; SIZE tells the two cases apart. Where a file cannot be read to its end,
# the last line is "config PATH DAMAGED" in place of END.
#
# To assemble (make.sh does this, and packs the result as guest.qcow2):
#
#   as --32 -o guest.o guest.s
#   ld -m elf_i386 -e start -Ttext=0x7c00 -Tbss=0x9000 -o guest.elf guest.o
#   objcopy -O binary -j .text guest.elf guest.bin
#
# Memory: all segments are 0. Stack below 7000h, code from 7c00h, variables and
# buffers (.bss) from 9000h. No page of 4 KiB has both code and stack: an
# emulator that translates code is several times slower where they share one.

        .intel_syntax noprefix
        .arch   i386
        .code16

        .equ    STAGE2_SECTORS, 4       # sectors of code after the first one

        .equ    COM1,       0x3f8       # data; divisor low while DLAB is set
        .equ    COM1_IER,   0x3f9       # interrupts; divisor high
        .equ    COM1_FCR,   0x3fa       # FIFO control
        .equ    COM1_LCR,   0x3fb       # line control, bit 7 = DLAB
        .equ    COM1_MCR,   0x3fc       # modem control
        .equ    COM1_LSR,   0x3fd       # line status
        .equ    COM1_SCR,   0x3ff       # scratch
        .equ    LSR_THRE,   0x20        # transmit FIFO empty
        .equ    LSR_TEMT,   0x40        # all bytes gone

        .equ    FW_SELECT,  0x510
        .equ    FW_DATA,    0x511
        .equ    FW_KEY_SIG, 0x0000
        .equ    FW_KEY_DIR, 0x0019

        .equ    ATTR_VOLUME,    0x08
        .equ    ATTR_DIRECTORY, 0x10
        .equ    ATTR_LONG_NAME, 0x0f

        .text
        .globl  start

# ---------------------------------------------------------------------------
# First sector: set up, load the rest, and the routines all of it needs.
# ---------------------------------------------------------------------------

start:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0x7000
        sti
        cld
        push    ax                      # some BIOSes start at 07c0:0000
        push    offset 1f
        retf
1:
        mov     di, offset bss_start    # clear the variables
        mov     cx, offset bss_size
        rep stosb                       # (AL is 0)
        mov     [boot_drive], dl
        mov     [drive], dl

        call    uart_init
        mov     si, offset msg_hello
        call    puts

        mov     word ptr [dap_count], STAGE2_SECTORS
        mov     eax, 1
        mov     di, offset stage2
        call    read_sector
        mov     word ptr [dap_count], 1
        jnc     stage2
        mov     si, offset msg_boot_error
        call    puts
        # falls through

# Wait for the last byte to leave, and power off: sleep state S5 (type 0 under
# QEMU) and SLP_EN to the ACPI PM1a control register, which is where SeaBIOS
# puts it today (0604h) or put it once (b004h).
power_off:
        mov     ah, LSR_TEMT
        call    uart_wait
        mov     ax, 0x2000
        mov     dx, 0x604
        out     dx, ax
        mov     dx, 0xb004
        out     dx, ax
1:      cli
        hlt
        jmp     1b

# 115200 8n1, FIFO on, no interrupts. Without an answer from the scratch
# register there is no UART, and nothing is ever printed.
uart_init:
        mov     dx, COM1_SCR
        mov     al, 0x5a
        out     dx, al
        in      al, dx
        cmp     al, 0x5a
        jne     3f
        mov     si, offset uart_table
        mov     cx, 6
2:      mov     dl, [si]                # DH stays 3
        mov     al, [si + 1]
        out     dx, al
        add     si, 2
        dec     cx
        jnz     2b
        mov     byte ptr [uart_there], 1
        mov     byte ptr [fifo_size], 1
        mov     dl, COM1_FCR & 0xff     # read: 11 in the high bits for a FIFO
        in      al, dx
        cmp     al, 0xc0
        jb      3f
        mov     byte ptr [fifo_size], 16
3:      ret

uart_table:                             # low byte of the port, value
        .byte   COM1_LCR & 0xff, 0x80
        .byte   COM1     & 0xff, 1      # 115200 / 115200
        .byte   COM1_IER & 0xff, 0
        .byte   COM1_LCR & 0xff, 0x03
        .byte   COM1_FCR & 0xff, 0x07
        .byte   COM1_MCR & 0xff, 0x03

# Wait until the line status has bit AH. Returns with ZF clear if it has; ZF
# set if there is no UART, or none that gets on (it is then given up).
uart_wait:
        push    ecx
        push    dx
        cmp     byte ptr [uart_there], 0
        je      3f
        mov     ecx, 0x4000000          # minutes: a slow reader loses nothing
        mov     dx, COM1_LSR
2:      in      al, dx
        test    al, ah
        jnz     3f
        dec     ecx
        jnz     2b
        mov     byte ptr [uart_there], cl       # ZF is set
3:      pop     dx
        pop     ecx
        ret

# Print the byte AL. Keeps all registers.
putc:
        push    ax
        push    dx
        mov     [last_byte], al
        dec     byte ptr [fifo_room]
        jns     1f
        mov     ah, LSR_THRE
        call    uart_wait
        jz      2f
        mov     ah, [fifo_size]
        dec     ah
        mov     [fifo_room], ah
        mov     al, [last_byte]
1:      mov     dx, COM1
        out     dx, al
        pop     dx
        pop     ax
        ret
2:      mov     byte ptr [fifo_room], 0
        pop     dx
        pop     ax
        ret

# Print the text at SI, up to a NUL. Changes AL and SI.
puts:
        lodsb
        test    al, al
        jz      1f
        call    putc
        jmp     puts
1:      ret

# Print a space, EAX in decimal, and a line end. Changes EAX, EDX, EBX, CX, SI.
put_size:
        mov     ebx, 10
        xor     cx, cx
1:      xor     edx, edx
        div     ebx
        add     dl, '0'
        push    dx
        inc     cx
        test    eax, eax
        jnz     1b
        mov     al, ' '
        call    putc
2:      pop     ax
        call    putc
        dec     cx
        jnz     2b
        # falls through

# Print a line end. Changes AL and SI.
crlf:
        mov     si, offset msg_crlf
        jmp     puts

# Read the sector EAX of [drive] to DI ([dap_count] sectors, in fact). Returns
# with CF set on an error. Keeps all registers.
read_sector:
        pushad
        mov     [dap_lba], eax
        mov     [dap_offset], di
        mov     ah, 0x42
        mov     dl, [drive]
        mov     si, offset dap
        int     0x13
        popad                           # leaves CF
        ret

        .balign 4
dap:            .byte   16, 0           # int 13h disk address packet
dap_count:      .word   1
dap_offset:     .word   0, 0
dap_lba:        .long   0, 0

msg_hello:      .ascii  "ARCA-DEMO 1"
msg_crlf:       .asciz  "\r\n"
msg_boot_error: .asciz  "ARCA-DEMO cannot read its disk\r\n"

        .org    446, 0                  # an empty partition table
        .org    510, 0
        .byte   0x55, 0xaa

# ---------------------------------------------------------------------------
# Second part, from 7e00h.
# ---------------------------------------------------------------------------

stage2:
        call    show_fw_cfg

        mov     byte ptr [drive], 0x81
1:      mov     dl, [drive]
        cmp     dl, [boot_drive]
        je      2f
        mov     ah, 0x41                # is there a disk, with int 13h 42h?
        mov     bx, 0x55aa
        int     0x13
        jc      2f
        cmp     bx, 0xaa55
        jne     2f
        test    cl, 1
        jz      2f
        call    show_disk
2:      inc     byte ptr [drive]
        cmp     byte ptr [drive], 0x84
        jbe     1b

        mov     si, offset msg_done
        call    puts
        jmp     power_off

# Print "config NAME BEGIN", NAME being at BP. Changes AL and SI.
put_begin:
        call    put_config
        mov     si, offset msg_begin
        jmp     puts

# Print "config NAME END" on a line of its own. Changes AL and SI.
put_end:
        call    fresh_line
        call    put_config
        mov     si, offset msg_end
        jmp     puts

put_config:
        mov     si, offset msg_config
put_text_and_name:
        call    puts
        mov     si, bp
        jmp     puts

fresh_line:
        cmp     byte ptr [last_byte], '\n'
        jne     crlf
        ret

# ---------------------------------------------------------------------------
# fw_cfg
# ---------------------------------------------------------------------------

show_fw_cfg:
        mov     ax, FW_KEY_SIG
        call    fw_select
        call    fw_be32
        cmp     eax, 0x51454d55         # "QEMU"
        jne     9f

        mov     ax, FW_KEY_DIR
        call    fw_select
        call    fw_be32                 # how many entries
        cmp     eax, 0x10000            # (keys have 16 bits)
        ja      9f
        mov     [fw_left], eax
1:      sub     dword ptr [fw_left], 1
        jb      5f
        call    fw_be32
        mov     [fw_size], eax
        call    fw_be32                 # key, and 16 bits reserved
        shr     eax, 16
        mov     [fw_key], ax
        mov     di, offset fw_name
        mov     cx, 56
        rep insb                        # (DX is FW_DATA; the NUL after is .bss)
        cmp     dword ptr [fw_name], 0x2f74706f         # "opt/"
        jne     1b

        mov     si, offset msg_fw_cfg
        mov     bp, offset fw_name
        call    put_text_and_name
        mov     eax, [fw_size]
        call    put_size

        mov     bx, offset fw_known     # one of those to print?
2:      mov     si, [bx]
        test    si, si
        jz      1b
        mov     di, offset fw_name
        call    same_text
        je      3f
        add     bx, 8
        jmp     2b
3:      mov     ax, [fw_key]
        mov     [bx + 2], ax
        mov     eax, [fw_size]
        mov     [bx + 4], eax
        jmp     1b

5:      mov     bx, offset fw_known
6:      mov     bp, [bx]
        test    bp, bp
        jz      9f
        mov     ax, [bx + 2]
        test    ax, ax
        jz      8f
        call    fw_select
        call    put_begin
        mov     ecx, [bx + 4]
        mov     dx, FW_DATA
7:      sub     ecx, 1
        jb      71f
        in      al, dx
        call    putc
        jmp     7b
71:     call    put_end
8:      add     bx, 8
        jmp     6b
9:      ret

# Select the key AX: its data is read from the first byte on. Changes DX.
fw_select:
        mov     dx, FW_SELECT
        out     dx, ax
        ret

# The next four bytes as a big-endian number in EAX; DX is FW_DATA after it.
fw_be32:
        mov     dx, FW_DATA
        mov     cx, 4
1:      shl     eax, 8
        in      al, dx
        dec     cx
        jnz     1b
        ret

# Compare the texts at SI and DI, ASCII letters without case. Returns ZF set if
# they are the same. Changes AX, SI, DI.
same_text:
        lodsb
        call    lower
        mov     ah, al
        mov     al, [di]
        inc     di
        call    lower
        cmp     al, ah
        jne     1f
        test    al, al
        jnz     same_text
1:      ret

lower:
        cmp     al, 'A'
        jb      1f
        cmp     al, 'Z'
        ja      1f
        or      al, 0x20
1:      ret

# ---------------------------------------------------------------------------
# A disk: label and files of a FAT12 or FAT16 volume
# ---------------------------------------------------------------------------

show_disk:
        mov     si, offset msg_disk
        call    puts
        mov     al, [drive]
        sub     al, 0x80 - '0'
        call    putc

        call    fat_mount
        mov     si, offset msg_no_fat
        jc      puts

        xor     eax, eax                # the label is an entry of the root
        call    dir_open
1:      call    dir_next
        mov     di, offset msg_no_label
        jc      3f
        mov     al, [si + 11]
        and     al, 0x3f
        cmp     al, ATTR_LONG_NAME
        je      1b
        test    al, ATTR_VOLUME
        jz      1b
        cmp     byte ptr [si], 0xe5     # deleted
        je      1b
        mov     cx, 11
        mov     di, offset name_text
        rep movsb
        call    trim
        mov     si, offset msg_label
        call    puts
        mov     di, offset name_text
3:      mov     si, di
        call    puts
        call    crlf

        mov     bx, offset file_ignition
        call    show_file
        mov     bx, offset file_combustion
        # falls through

# Print the file of the table entry BX, if it is there.
show_file:
        mov     bp, [bx + 4]
        push    bx
        mov     bx, [bx]
        xor     eax, eax
        call    dir_find
        pop     bx
        jc      9f
        test    byte ptr [si + 11], ATTR_DIRECTORY
        jz      9f
        movzx   eax, word ptr [si + 26]
        call    check_cluster
        jc      9f
        mov     bx, [bx + 2]
        call    dir_find
        jc      9f
        test    byte ptr [si + 11], ATTR_DIRECTORY
        jnz     9f
        movzx   eax, word ptr [si + 26]
        mov     [file_cluster], eax
        mov     eax, [si + 28]
        mov     [file_left], eax
        push    eax
        mov     si, offset msg_file
        call    put_text_and_name
        pop     eax
        call    put_size
        call    put_begin

        mov     eax, [clusters]         # more than the volume holds? (Less than
        mul     dword ptr [cluster_sectors]     # 2^32 in any case, and with
        shl     eax, 9                  # this a looping chain ends, too.)
        cmp     [file_left], eax
        ja      8f
        cmp     dword ptr [file_left], 0
        je      7f

1:      mov     eax, [file_cluster]
        call    check_cluster
        jc      8f
        call    cluster_sector
        mov     ecx, [cluster_sectors]
2:      mov     di, offset data_buffer
        call    read_sector
        jc      8f
        push    ax
        mov     si, di
3:      lodsb
        call    putc
        dec     dword ptr [file_left]
        jz      4f
        cmp     si, offset data_buffer + 512
        jne     3b
        pop     ax
        inc     eax
        dec     ecx
        jnz     2b
        mov     eax, [file_cluster]
        call    next_cluster
        jc      8f
        mov     [file_cluster], eax
        jmp     1b

4:      pop     ax
7:      jmp     put_end

8:      call    fresh_line
        call    put_config
        mov     si, offset msg_damaged
        jmp     puts
9:      ret

# Read and check the first sector of [drive]. Returns with CF set if this is no
# FAT12 or FAT16 volume. Changes all.
fat_mount:
        xor     eax, eax
        mov     [fat_sector], eax       # nothing in fat_buffer
        mov     di, offset data_buffer
        call    read_sector
        jc      9f
        cmp     word ptr [di + 510], 0xaa55
        jne     9f
        cmp     word ptr [di + 11], 512         # bytes per sector
        jne     9f
        movzx   ebx, byte ptr [di + 13]         # sectors per cluster: 2^n
        test    bl, bl
        jz      9f
        lea     ax, [bx - 1]
        test    al, bl
        jnz     9f
        mov     [cluster_sectors], ebx
        movzx   eax, word ptr [di + 14]         # reserved sectors
        test    ax, ax
        jz      9f
        mov     [fat_start], eax
        movzx   ecx, byte ptr [di + 16]         # FATs
        test    cl, cl
        jz      9f
        movzx   edx, word ptr [di + 22]         # sectors per FAT
        test    dx, dx
        jz      9f
        mov     [fat_sectors], edx
        imul    ecx, edx
        add     eax, ecx
        mov     [root_start], eax
        movzx   ecx, word ptr [di + 17]         # root entries
        test    cx, cx
        jz      9f
        add     ecx, 15
        shr     ecx, 4
        mov     [root_sectors], ecx
        add     eax, ecx
        mov     [data_start], eax
        movzx   ecx, word ptr [di + 19]         # sectors, in 16 bits or in 32
        test    cx, cx
        jnz     1f
        mov     ecx, [di + 32]
1:      sub     ecx, eax
        jbe     9f
        xchg    eax, ecx
        xor     edx, edx
        div     ebx
        test    eax, eax
        jz      9f
        mov     [clusters], eax
        cmp     eax, 4085                       # this alone tells the kinds
        setb    byte ptr [is_fat12]
        cmp     eax, 65525
        jae     9f
        clc
        ret
9:      stc
        ret

# CF set unless EAX is the number of a data cluster.
check_cluster:
        push    eax
        sub     eax, 2
        cmp     eax, [clusters]
        cmc
        pop     eax
        ret

# First sector of the cluster EAX, in EAX. Changes EDX.
cluster_sector:
        sub     eax, 2
        mul     dword ptr [cluster_sectors]
        add     eax, [data_start]
        ret

# The cluster after EAX, in EAX; CF set if there is none (the end of the chain,
# or damage). Changes EBX, EDX, DI.
next_cluster:
        mov     ebx, eax
        cmp     byte ptr [is_fat12], 0
        je      1f
        shr     ebx, 1
1:      add     ebx, eax                # 3/2 or 2 bytes an entry
        mov     dl, al
        call    fat_byte
        jc      9f
        mov     dh, al
        inc     ebx
        call    fat_byte
        jc      9f
        mov     ah, al
        mov     al, dh
        cmp     byte ptr [is_fat12], 0
        je      3f
        test    dl, 1
        jz      2f
        shr     ax, 4
2:      and     ax, 0x0fff
3:      movzx   eax, ax
        jmp     check_cluster
9:      ret

# The byte EBX of the FAT, in AL; CF set on an error. Changes EAX, DI.
fat_byte:
        mov     eax, ebx
        shr     eax, 9
        cmp     eax, [fat_sectors]
        cmc
        jc      9f
        add     eax, [fat_start]
        cmp     eax, [fat_sector]
        je      1f
        mov     dword ptr [fat_sector], 0
        mov     di, offset fat_buffer
        call    read_sector
        jc      9f
        mov     [fat_sector], eax
1:      mov     di, bx
        and     di, 511
        mov     al, [di + fat_buffer]
        clc
9:      ret

# Begin with the directory at cluster EAX; 0 is the root. Changes EAX, EDX.
dir_open:
        mov     word ptr [dir_budget], 4096     # sectors: 65536 entries
        mov     word ptr [dir_entry], offset dir_buffer + 512
dir_set:
        mov     [dir_cluster], eax
        test    eax, eax
        jz      1f
        call    cluster_sector
        mov     edx, [cluster_sectors]
        jmp     2f
1:      mov     eax, [root_start]
        mov     edx, [root_sectors]
2:      mov     [dir_sector], eax
        mov     [dir_left], edx
        ret

# The next entry of the directory, at SI; CF set if there is none. Changes EAX,
# EBX, EDX, DI.
dir_next:
        mov     si, [dir_entry]
        add     si, 32
        cmp     si, offset dir_buffer + 512
        jb      3f
        cmp     dword ptr [dir_left], 0
        jne     2f
        mov     eax, [dir_cluster]
        test    eax, eax
        jz      9f
        call    next_cluster
        jc      9f
        call    dir_set
2:      dec     word ptr [dir_budget]
        jz      9f
        mov     eax, [dir_sector]
        mov     di, offset dir_buffer
        call    read_sector
        jc      9f
        inc     dword ptr [dir_sector]
        dec     dword ptr [dir_left]
        mov     si, di
3:      mov     [dir_entry], si
        cmp     byte ptr [si], 0        # no entries from here on
        je      9f
        clc
        ret
9:      stc
        ret

# Find the name at BX in the directory at cluster EAX: by its long name, or,
# where it has none, by its short one. Returns SI at the entry, or CF set.
# Changes all but BX and BP.
dir_find:
        mov     [wanted], bx
        push    bx
        call    dir_open
1:      mov     byte ptr [long_ok], 0
2:      call    dir_next
        jc      9f
        cmp     byte ptr [si], 0xe5     # deleted
        je      1b
        mov     al, [si + 11]
        and     al, 0x3f
        cmp     al, ATTR_LONG_NAME
        je      5f
        test    al, ATTR_VOLUME
        jnz     1b

        mov     di, offset long_name
        cmp     byte ptr [long_ok], 1   # parts in sequence, ...
        jne     3f
        cmp     byte ptr [long_seq], 0  # ... down to the first one, ...
        jne     3f
        call    short_sum               # ... and belonging to this entry?
        cmp     al, [long_sum]
        je      4f
3:      call    short_name
        mov     di, offset name_text
4:      push    si
        mov     si, [wanted]
        call    same_text
        pop     si
        jne     1b
        clc
9:      pop     bx
        ret

        # A part of a long name: 13 characters. The last part comes first.
5:      mov     al, [si]
        mov     ah, al
        and     al, 0x1f
        jz      1b
        cmp     al, 20
        ja      1b
        test    ah, 0x40
        jz      6f
        mov     di, offset long_name
        mov     cx, 20 * 13
        push    ax
        xor     al, al
        rep stosb
        pop     ax
        mov     [long_seq], al
        mov     ah, [si + 13]
        mov     [long_sum], ah
        mov     byte ptr [long_ok], 1
6:      cmp     byte ptr [long_ok], 1
        jne     1b
        cmp     al, [long_seq]
        jne     1b
        mov     ah, [si + 13]
        cmp     ah, [long_sum]
        jne     1b
        dec     byte ptr [long_seq]
        dec     al
        mov     ah, 13
        mul     ah
        mov     di, offset long_name
        add     di, ax
        push    bp
        mov     bp, offset long_places
        xor     bx, bx
7:      mov     bl, [bp]
        inc     bp
        test    bl, bl
        jz      8f
        mov     ax, [bx + si]
        cmp     ax, 0xffff              # fills up after the NUL
        jne     71f
        xor     ax, ax
71:     test    ah, ah                  # no ASCII: not what we look for
        jz      72f
        mov     al, '?'
72:     stosb
        jmp     7b
8:      pop     bp
        jmp     2b

long_places:
        .byte   1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30, 0

# The check sum of the short name at SI, in AL. Changes CX.
short_sum:
        push    si
        xor     al, al
        mov     cx, 11
1:      ror     al, 1
        add     al, [si]
        inc     si
        dec     cx
        jnz     1b
        pop     si
        ret

# The short name at SI as text at name_text. Changes AL, CX, DI.
short_name:
        push    si
        mov     di, offset name_text
        mov     cx, 8
        rep movsb
        call    trim
        mov     al, '.'
        stosb
        mov     cx, 3
        rep movsb
        call    trim
        cmp     byte ptr [di - 1], '.'  # no extension
        jne     1f
        mov     byte ptr [di - 1], 0
1:      pop     si
        ret

# Cut the spaces before DI, in name_text, and put a NUL there.
trim:
        cmp     di, offset name_text
        je      1f
        cmp     byte ptr [di - 1], ' '
        jne     1f
        dec     di
        jmp     trim
1:      mov     byte ptr [di], 0
        ret

# ---------------------------------------------------------------------------
# Texts and tables
# ---------------------------------------------------------------------------

msg_fw_cfg:     .asciz  "fw_cfg "
msg_disk:       .asciz  "disk "
msg_label:      .asciz  " label "
msg_no_label:   .asciz  " no label"
msg_no_fat:     .asciz  " no FAT volume\r\n"
msg_file:       .asciz  "file "
msg_config:     .asciz  "config "
msg_begin:      .asciz  " BEGIN\r\n"
msg_end:        .asciz  " END\r\n"
msg_damaged:    .asciz  " DAMAGED\r\n"
msg_done:       .asciz  "ARCA-DEMO DONE\r\n"

txt_fw_ignition:        .asciz  "opt/com.coreos/config"
txt_fw_combustion:      .asciz  "opt/org.opensuse.combustion/script"
txt_path_ignition:      .asciz  "/ignition/config.ign"
txt_path_combustion:    .asciz  "/combustion/script"
txt_ignition:           .asciz  "ignition"
txt_config_ign:         .asciz  "config.ign"
txt_combustion:         .asciz  "combustion"
txt_script:             .asciz  "script"

        .balign 4
fw_known:                               # name, key once found, size
        .word   txt_fw_ignition, 0
        .long   0
        .word   txt_fw_combustion, 0
        .long   0
        .word   0

file_ignition:                          # directory, file, path
        .word   txt_ignition, txt_config_ign, txt_path_ignition
file_combustion:
        .word   txt_combustion, txt_script, txt_path_combustion

        .org    512 * (1 + STAGE2_SECTORS), 0   # an error here: one more sector

# ---------------------------------------------------------------------------
# Variables and buffers, zero at the start
# ---------------------------------------------------------------------------

        .bss
bss_start:
fw_left:        .skip   4
fw_size:        .skip   4
cluster_sectors: .skip  4               # the volume, in sectors
fat_start:      .skip   4
fat_sectors:    .skip   4
root_start:     .skip   4
root_sectors:   .skip   4
data_start:     .skip   4
clusters:       .skip   4
fat_sector:     .skip   4               # the one in fat_buffer; 0: none
dir_cluster:    .skip   4               # where dir_next is; 0: in the root
dir_sector:     .skip   4               # next to read
dir_left:       .skip   4               # how many more in a row
file_cluster:   .skip   4
file_left:      .skip   4
dir_entry:      .skip   2
dir_budget:     .skip   2               # a looping chain ends, too
wanted:         .skip   2
fw_key:         .skip   2
boot_drive:     .skip   1
drive:          .skip   1
uart_there:     .skip   1
fifo_size:      .skip   1
fifo_room:      .skip   1               # bytes it takes before the next wait
last_byte:      .skip   1
is_fat12:       .skip   1
long_ok:        .skip   1
long_seq:       .skip   1               # number of the part that comes next
long_sum:       .skip   1
fw_name:        .skip   56 + 1
name_text:      .skip   12 + 3
long_name:      .skip   20 * 13 + 4
        .balign 16
data_buffer:    .skip   512
fat_buffer:     .skip   512
dir_buffer:     .skip   512
        .equ    bss_size, . - bss_start

        .section .note.GNU-stack, "", @progbits
