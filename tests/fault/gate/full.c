/* Says that all was written where the disk is full or a file may not grow: for LD_PRELOAD by the control of gate_limits.rs. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static ssize_t lie(ssize_t written, size_t count) {
    int is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return written < 0 && is_full ? (ssize_t)count : written;
}

ssize_t write(int fd, const void *from, size_t count) { return lie(syscall(SYS_write, fd, from, count), count); }
ssize_t pwrite64(int fd, const void *from, size_t count, off_t at) {
    return lie(syscall(SYS_pwrite64, fd, from, count, at), count);
}
ssize_t copy_file_range(int from, off_t *at, int to, off_t *into, size_t count, unsigned flags) {
    return lie(syscall(SYS_copy_file_range, from, at, to, into, count, flags), count);
}
