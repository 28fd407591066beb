/* Fails the N-th change of files under one folder, for the tests: LD_PRELOAD this and call fault_arm() through ctypes.
 * Lance writes in Rust and Python writes in C, and both come through libc, so that this sees every change that either
 * makes. Counted: write, pwrite, writev, rename, link, fsync, fdatasync, ftruncate, and open where it may create. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char prefix[4096];
static atomic_long left = 0; /* changes until the one that fails; 0: not armed */
static atomic_long seen = 0; /* changes since armed */
static atomic_long failed = 0;
static int code = 0, sticky = 0;

void fault_arm(const char *folder, long n, int error, int for_good) {
    strncpy(prefix, folder, sizeof prefix - 1);
    code = error; sticky = for_good; seen = 0; failed = 0;
    left = n;
}
void fault_disarm(void) { left = 0; prefix[0] = 0; }
long fault_seen(void) { return seen; }
long fault_failed(void) { return failed; }

static int due(void) {
    long now = atomic_fetch_add(&seen, 1) + 1;
    if (now == left || (sticky && now > left)) {
        atomic_fetch_add(&failed, 1);
        errno = code;
        return 1;
    }
    return 0;
}
static int fails_path(const char *path) {
    return left > 0 && path && strncmp(path, prefix, strlen(prefix)) == 0 && due();
}
static int fails_fd(int fd) {
    char link[64], path[4096];
    if (left <= 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return strncmp(path, prefix, strlen(prefix)) == 0 && due();
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t n) { REAL(write); return fails_fd(fd) ? -1 : real(fd, data, n); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { REAL(pwrite); return fails_fd(fd) ? -1 : real(fd, data, n, at); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { REAL(pwrite64); return fails_fd(fd) ? -1 : real(fd, data, n, at); }
ssize_t writev(int fd, const struct iovec *parts, int n) { REAL(writev); return fails_fd(fd) ? -1 : real(fd, parts, n); }
int fsync(int fd) { REAL(fsync); return fails_fd(fd) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return fails_fd(fd) ? -1 : real(fd); }
int ftruncate(int fd, off_t n) { REAL(ftruncate); return fails_fd(fd) ? -1 : real(fd, n); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); return fails_fd(fd) ? -1 : real(fd, n); }
int rename(const char *a, const char *b) { REAL(rename); return fails_path(b) ? -1 : real(a, b); }
int renameat(int x, const char *a, int y, const char *b) { REAL(renameat); return fails_path(b) ? -1 : real(x, a, y, b); }
int link(const char *a, const char *b) { REAL(link); return fails_path(b) ? -1 : real(a, b); }
int linkat(int x, const char *a, int y, const char *b, int f) { REAL(linkat); return fails_path(b) ? -1 : real(x, a, y, b, f); }
int mkdir(const char *a, mode_t mode) { REAL(mkdir); return fails_path(a) ? -1 : real(a, mode); }

#define MODE_OF(flags) mode_t mode = 0; if ((flags) & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

int open(const char *path, int flags, ...) { REAL(open); MODE_OF(flags) return (flags & O_CREAT) && fails_path(path) ? -1 : real(path, flags, mode); }
int open64(const char *path, int flags, ...) { REAL(open64); MODE_OF(flags) return (flags & O_CREAT) && fails_path(path) ? -1 : real(path, flags, mode); }
int openat(int d, const char *path, int flags, ...) { REAL(openat); MODE_OF(flags) return (flags & O_CREAT) && fails_path(path) ? -1 : real(d, path, flags, mode); }
int openat64(int d, const char *path, int flags, ...) { REAL(openat64); MODE_OF(flags) return (flags & O_CREAT) && fails_path(path) ? -1 : real(d, path, flags, mode); }
