/* A disk that fails as it is told. Preloaded into a process, it stands between the process and the C library for the
 * files below one folder, once disk_arm() has named that folder; everything else passes through untouched.
 *
 * It writes a log of every change, every sync and every name, from which an image of the disk after a power cut is made
 * (image.py); it fails the n-th operation; it runs full; it takes its time. See disk.py for what the words mean.
 *
 * A record of the log is a struct entry, in the machine's own byte order, and then `size` bytes: data, or a name below
 * the folder ("" is the folder itself).
 *
 *   O  a file was opened       at: 1 if it was made, + 2 if it was emptied     the name
 *   W  written                 at: the offset                                 the data
 *   T  cut or lengthened       at: the new length
 *   S  a sync begins           at: its number
 *   D  and is done             at: its number
 *   R  renamed                                                                 the old name, a zero byte, the new one
 *   U  removed                                                                 the name
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, NAME = 4 };
enum { FDS = 1024 };

struct entry { int32_t op, fd; int64_t at, size; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t length;
static int log_fd = -1;
static unsigned char is_ours[FDS];
static long ops, syncs;
static long fail_at, budget = -1;
static int fail_kinds, fail_error, is_once, is_torn;
static long delay;

#define NEXT(name) ((__typeof__(&name))next(#name))

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((constructor)) static void alone(void) { unsetenv("LD_PRELOAD"); } /* our children have a good disk */

/* Which files, and how they fail: the n-th operation of these kinds, and unless it is once every later one. If it is torn,
 * that one is a write of which the first half arrives, as its result says, and only the next one fails. `room`: bytes by
 * which files may grow before the disk is full, or -1. */
int disk_arm(const char *where, const char *log, int kinds, long at, int error, int once, int torn, long room, long us)
{
    snprintf(folder, sizeof folder, "%s", where);
    fail_kinds = kinds, fail_at = at, fail_error = error, is_once = once, is_torn = torn, budget = room, delay = us;
    if (*log) log_fd = NEXT(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    length = strlen(folder);
    return *log && log_fd < 0 ? -1 : 0;
}

static void note(int op, int fd, int64_t at, const void *data, size_t size)
{
    struct entry head = {op, fd, at, (int64_t)size};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)data, size}};
    int before = errno;
    if (log_fd >= 0 && NEXT(writev)(log_fd, parts, 2) != (ssize_t)(sizeof head + size)) abort();
    errno = before;
}

long disk_ops(void) { return ops; }

/* The name below the folder, or NULL if it is elsewhere. */
static const char *name_of(const char *path)
{
    if (!length || strncmp(path, folder, length) || (path[length] && path[length] != '/')) return NULL;
    return path[length] ? path + length + 1 : "";
}

/* Counts an operation; whether it fails. The lock is held. */
static int fails(int kind)
{
    if (!(fail_kinds & kind)) { ops += !fail_kinds; return 0; }
    ops++;
    return fail_at && ops >= fail_at && (!is_once || ops <= fail_at + is_torn);
}

static int opened(int dir, const char *path, int flags, mode_t mode)
{
    const char *name = dir == AT_FDCWD || *path == '/' ? name_of(path) : NULL;
    if (!name) return NEXT(openat)(dir, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat known;
    int is_made = (flags & O_CREAT) && stat(path, &known) != 0, error = 0, fd = -1;
    if (is_made) error = fails(NAME) ? fail_error : budget == 0 ? ENOSPC : 0;
    if (!error) {
        fd = NEXT(openat)(dir, path, flags, mode);
        error = errno;
    }
    if (fd >= FDS) abort();
    if (fd >= 0) {
        is_ours[fd] = 1;
        note('O', fd, is_made + ((flags & O_TRUNC) && !is_made ? 2 : 0), name, strlen(name));
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define MODE mode_t mode = 0; if (flags & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE return opened(dir, path, flags, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

int close(int fd)
{
    if (fd >= 0 && fd < FDS) is_ours[fd] = 0;
    return NEXT(close)(fd);
}

/* How much of a write there is room for. */
static size_t room_for(int fd, int64_t at, size_t size)
{
    struct stat known;
    if (budget < 0 || fstat(fd, &known) != 0) return size;
    int64_t grows = at + (int64_t)size - known.st_size;
    if (grows <= 0) return size;
    size_t fits = grows <= budget ? size : grows - budget < (int64_t)size ? size - (size_t)(grows - budget) : 0;
    budget -= grows <= budget ? grows : budget;
    return fits;
}

/* At an offset, or with -1 where the file is. */
static ssize_t written(int fd, const void *data, size_t size, int64_t at)
{
    if (fd < 0 || fd >= FDS || !is_ours[fd])
        return at < 0 ? NEXT(write)(fd, data, size) : NEXT(pwrite)(fd, data, size, at);
    pthread_mutex_lock(&lock);
    struct stat known;
    int is_appended = NEXT(fcntl)(fd, F_GETFL) & O_APPEND, is_failed = fails(WRITE), error = fail_error;
    int64_t place = at >= 0 ? at : is_appended && !fstat(fd, &known) ? known.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t count = -1;
    if (is_failed && is_torn && ops == fail_at && size > 1) is_failed = 0, size /= 2;
    size_t fits = is_failed ? 0 : room_for(fd, place, size);
    if (!is_failed && size && !fits) error = ENOSPC;
    if (!is_failed && (fits || !size)) {
        count = at < 0 ? NEXT(write)(fd, data, fits) : NEXT(pwrite)(fd, data, fits, at);
        if (count > 0) note('W', fd, place, data, (size_t)count);
        if (count < 0) error = errno;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return count;
}

ssize_t write(int fd, const void *data, size_t size) { return written(fd, data, size, -1); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return written(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return written(fd, data, size, at); }

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (fd < 0 || fd >= FDS || !is_ours[fd]) return NEXT(writev)(fd, parts, count);
    return count ? written(fd, parts[0].iov_base, parts[0].iov_len, -1) : 0; /* which it may: a short write */
}

static int cut(int fd, int64_t size)
{
    if (fd < 0 || fd >= FDS || !is_ours[fd]) return NEXT(ftruncate)(fd, size);
    pthread_mutex_lock(&lock);
    int result = -1, error = fail_error;
    if (!fails(WRITE)) {
        result = NEXT(ftruncate)(fd, size), error = errno;
        if (!result) note('T', fd, size, "", 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }

/* What was written before it began is safe once it is done; others write meanwhile. */
static int synced(int fd, int (*sync)(int))
{
    if (fd < 0 || fd >= FDS || !is_ours[fd]) return sync(fd);
    pthread_mutex_lock(&lock);
    int is_failed = fails(SYNC);
    long number = ++syncs;
    note('S', fd, number, "", 0);
    pthread_mutex_unlock(&lock);
    if (delay) usleep((useconds_t)delay);
    int result = is_failed ? -1 : sync(fd), error = is_failed ? fail_error : errno;
    if (!result) {
        pthread_mutex_lock(&lock);
        note('D', fd, number, "", 0);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return result;
}

int fsync(int fd) { return synced(fd, NEXT(fsync)); }
int fdatasync(int fd) { return synced(fd, NEXT(fdatasync)); }

int rename(const char *from, const char *to)
{
    const char *before = name_of(from), *after = name_of(to);
    if (!before || !after) return NEXT(rename)(from, to);
    char names[2 * PATH_MAX];
    size_t size = (size_t)snprintf(names, sizeof names, "%s%c%s", before, 0, after);
    pthread_mutex_lock(&lock);
    int result = -1, error = fail_error;
    if (!fails(NAME)) {
        result = NEXT(rename)(from, to), error = errno;
        if (!result) note('R', -1, 0, names, size);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int unlink(const char *path)
{
    const char *name = name_of(path);
    if (!name) return NEXT(unlink)(path);
    pthread_mutex_lock(&lock);
    int result = -1, error = fail_error;
    if (!fails(NAME)) {
        result = NEXT(unlink)(path), error = errno;
        if (!result) note('U', -1, 0, name, strlen(name));
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
