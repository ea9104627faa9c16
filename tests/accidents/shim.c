// Stands between a program and its C library (LD_PRELOAD). What it does is chosen by the environment:
//   SHIM_LOG    a file that takes every change below SHIM_ROOT, in order, as replay.py reads them
//   SHIM_ROOM   a file that holds a number: bytes that may still be written below SHIM_ROOT; then the disk is full
//               if it is below 0, the disk can only be read
//   SHIM_CLOCK  a file that holds a number: seconds that are added to the wall clock
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
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK };

static int log_fd = -1;
static dev_t root_dev;
static char root[PATH_MAX];
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static __thread int depth;  // what this file calls itself is no change

static ssize_t raw_write(int fd, const void *data, size_t n) { return syscall(SYS_write, fd, data, n); }

__attribute__((constructor)) static void begin(void) {
  struct stat found;
  const char *named = getenv("SHIM_ROOT"), *log = getenv("SHIM_LOG");
  if (!named || !realpath(named, root)) return;
  if (!stat(root, &found)) root_dev = found.st_dev;
  if (log) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

// One change at a time, so that the order of the log is the order in which they were made; other processes too.
static void enter(void) {
  int before = errno;
  if (depth++ || log_fd < 0) return;
  pthread_mutex_lock(&turn);
  flock(log_fd, LOCK_EX);
  errno = before;
}

static void leave(void) {
  int before = errno;
  if (--depth || log_fd < 0) return;
  flock(log_fd, LOCK_UN);
  pthread_mutex_unlock(&turn);
  errno = before;
}

static void note(uint8_t what, uint64_t inode, uint64_t offset, const char *a, uint32_t n, const char *b, uint32_t m) {
  if (log_fd < 0 || depth > 1) return;
  int before = errno;
  size_t size = 25 + n + m, at = 0;
  char *line = malloc(size);
  line[0] = what;
  memcpy(line + 1, &inode, 8);
  memcpy(line + 9, &offset, 8);
  memcpy(line + 17, &n, 4);
  memcpy(line + 21, &m, 4);
  memcpy(line + 25, a, n);
  memcpy(line + 25 + n, b, m);
  while (at < size) {
    ssize_t done = raw_write(log_fd, line + at, size - at);
    if (done <= 0) abort();
    at += done;
  }
  free(line);
  errno = before;
}

// The path with its folder resolved, since the last part may be a link or not be there.
static void whole(int folder, const char *path, char *out) {
  char base[PATH_MAX] = "", joined[2 * PATH_MAX], link[64], resolved[PATH_MAX];
  if (path[0] != '/') {
    if (folder == AT_FDCWD) {
      if (!getcwd(base, sizeof base)) base[0] = 0;
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
      ssize_t n = readlink(link, base, sizeof base - 1);
      base[n < 0 ? 0 : n] = 0;
    }
    snprintf(joined, sizeof joined, "%s/%s", base, path);
  } else {
    snprintf(joined, sizeof joined, "%s", path);
  }
  size_t n = strlen(joined);
  while (n > 1 && joined[n - 1] == '/') joined[--n] = 0;
  char *last = strrchr(joined, '/');
  *last = 0;
  if (!realpath(last == joined ? "/" : joined, resolved)) snprintf(resolved, sizeof resolved, "%s", joined);
  snprintf(out, PATH_MAX, "%s/%s", resolved, last + 1);
}

static int below(const char *path) {
  size_t n = strlen(root);
  return n && !strncmp(path, root, n) && (path[n] == '/' || !path[n]);
}

static uint64_t inode_of(int fd, uint64_t *size) {
  struct stat found;
  if (fstat(fd, &found) || found.st_dev != root_dev || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))) return 0;
  if (size) *size = found.st_size;
  return found.st_ino;
}

static long read_number(const char *variable, long otherwise) {
  char text[32] = "";
  const char *file = getenv(variable);
  if (!file) return otherwise;
  int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return otherwise;
  ssize_t n = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  return n > 0 ? atol(text) : otherwise;
}

// Whether the disk below the root can only be read, for a change of a name there.
static int is_frozen(int folder, const char *path) {
  char name[PATH_MAX];
  if (!getenv("SHIM_ROOM") || read_number("SHIM_ROOM", 0) >= 0) return 0;
  whole(folder, path, name);
  if (!below(name)) return 0;
  errno = EROFS;
  return 1;
}

// Whether `n` more bytes find no room below the root.
static int is_full(int fd, size_t n) {
  char link[64], path[PATH_MAX];
  if (!getenv("SHIM_ROOM") || !inode_of(fd, NULL)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  if (!below(path)) return 0;
  long room = read_number("SHIM_ROOM", LONG_MAX);
  if ((long)n > room) {
    errno = room < 0 ? EROFS : ENOSPC;
    return 1;
  }
  if (room == LONG_MAX) return 0;
  char text[32];
  int size = snprintf(text, sizeof text, "%-20ld", room - (long)n);
  int file = syscall(SYS_openat, AT_FDCWD, getenv("SHIM_ROOM"), O_WRONLY | O_CLOEXEC);
  if (file >= 0) {
    raw_write(file, text, size);
    syscall(SYS_close, file);
  }
  return 0;
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
  char name[PATH_MAX];
  struct stat before;
  int fresh, fd;
  enter();
  fresh = (flags & O_CREAT) && fstatat(folder, path, &before, 0);
  fd = (flags & (O_WRONLY | O_RDWR | O_CREAT)) && is_frozen(folder, path) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
  if (fd >= 0 && log_fd >= 0 && depth == 1) {
    uint64_t inode = inode_of(fd, NULL);
    whole(folder, path, name);
    if (inode && (flags & O_TMPFILE) == O_TMPFILE) note(CREATE, inode, 0, "", 0, "", 0);
    else if (inode && fresh && below(name)) note(CREATE, inode, 0, name, strlen(name), "", 0);
    else if (inode && (flags & O_TRUNC)) note(TRUNCATE, inode, 0, "", 0, "", 0);
  }
  leave();
  return fd;
}

static mode_t mode_of(int flags, va_list rest) {
  return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                                   \
  int name(const char *path, int flags, ...) {                       \
    va_list rest;                                                    \
    va_start(rest, flags);                                           \
    mode_t mode = mode_of(flags, rest);                              \
    va_end(rest);                                                    \
    return opened(AT_FDCWD, path, flags, mode);                      \
  }
#define OPENAT(name)                                                 \
  int name(int folder, const char *path, int flags, ...) {           \
    va_list rest;                                                    \
    va_start(rest, flags);                                           \
    mode_t mode = mode_of(flags, rest);                              \
    va_end(rest);                                                    \
    return opened(folder, path, flags, mode);                        \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

// Where a write without an offset goes: the end, or where the file stands.
static uint64_t place_of(int fd) {
  uint64_t size = 0;
  if (!inode_of(fd, &size)) return 0;
  if (syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND) return size;
  off_t at = lseek(fd, 0, SEEK_CUR);
  return at < 0 ? 0 : at;
}

static void note_write(int fd, uint64_t at, const void *data, ssize_t n) {
  uint64_t inode = n > 0 ? inode_of(fd, NULL) : 0;
  if (inode) note(WRITE, inode, at, data, n, "", 0);
}

ssize_t write(int fd, const void *data, size_t n) {
  if (log_fd < 0 && !getenv("SHIM_ROOM")) return raw_write(fd, data, n);
  if (!inode_of(fd, NULL)) return raw_write(fd, data, n);  // a pipe may wait for somebody else
  enter();
  uint64_t at = place_of(fd);
  ssize_t done = is_full(fd, n) ? -1 : raw_write(fd, data, n);
  note_write(fd, at, data, done);
  leave();
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
  enter();
  ssize_t done = is_full(fd, n) ? -1 : syscall(SYS_pwrite64, fd, data, n, at);
  note_write(fd, at, data, done);
  leave();
  return done;
}
ssize_t pwrite64(int fd, const void *data, size_t n, off_t at) { return pwrite(fd, data, n, at); }

static ssize_t gathered(int fd, const struct iovec *parts, int count, int64_t given) {
  ssize_t total = 0, done;
  if (!inode_of(fd, NULL)) return given < 0 ? syscall(SYS_writev, fd, parts, count) : REAL(pwritev)(fd, parts, count, given);
  enter();
  uint64_t at = given < 0 ? place_of(fd) : (uint64_t)given;
  for (int i = 0; i < count; i++) total += parts[i].iov_len;
  done = is_full(fd, total) ? -1 : given < 0 ? syscall(SYS_writev, fd, parts, count) : REAL(pwritev)(fd, parts, count, given);
  for (ssize_t i = 0, left = done; i < count && left > 0; i++) {
    ssize_t n = left < (ssize_t)parts[i].iov_len ? left : (ssize_t)parts[i].iov_len;
    note_write(fd, at, parts[i].iov_base, n);
    at += n;
    left -= n;
  }
  leave();
  return done;
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return gathered(fd, parts, count, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return gathered(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return gathered(fd, parts, count, at); }

// Copies within the system: what came to lie there is read again for the log.
static void note_copied(int fd, uint64_t at, ssize_t n) {
  char data[65536];
  char link[64];
  if (n <= 0 || log_fd < 0 || depth > 1 || !inode_of(fd, NULL)) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);  // it may be open for writing alone
  int copy = syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC);
  while (copy >= 0 && n > 0) {
    ssize_t got = syscall(SYS_pread64, copy, data, n < 65536 ? n : 65536, at);
    if (got <= 0) abort();
    note_write(fd, at, data, got);
    at += got;
    n -= got;
  }
  if (copy >= 0) syscall(SYS_close, copy);
}

ssize_t sendfile(int out, int in, off_t *from, size_t n) {
  if (!inode_of(out, NULL)) return syscall(SYS_sendfile, out, in, from, n);
  enter();
  uint64_t at = place_of(out);
  uint64_t size = 0;
  inode_of(in, &size);
  ssize_t done = is_full(out, n < size ? n : size) ? -1 : syscall(SYS_sendfile, out, in, from, n);
  note_copied(out, at, done);
  leave();
  return done;
}
ssize_t sendfile64(int out, int in, off_t *from, size_t n) { return sendfile(out, in, from, n); }

ssize_t copy_file_range(int in, off_t *from, int out, off_t *to, size_t n, unsigned flags) {
  enter();
  uint64_t at = to ? (uint64_t)*to : place_of(out);
  uint64_t size = 0;
  inode_of(in, &size);
  ssize_t done = is_full(out, n < size ? n : size) ? -1 : syscall(SYS_copy_file_range, in, from, out, to, n, flags);
  note_copied(out, at, done);
  leave();
  return done;
}

static int cut(int fd, off_t size) {
  enter();
  int done = syscall(SYS_ftruncate, fd, size);
  uint64_t inode = inode_of(fd, NULL);
  if (!done && inode) note(TRUNCATE, inode, size, "", 0, "", 0);
  leave();
  return done;
}
int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }

int posix_fallocate(int fd, off_t at, off_t n) {
  uint64_t size = 0;
  enter();
  int done = is_full(fd, n) ? ENOSPC : syscall(SYS_fallocate, fd, 0, at, n) ? errno : 0;
  uint64_t inode = inode_of(fd, &size);
  if (!done && inode) note(TRUNCATE, inode, size, "", 0, "", 0);
  leave();
  return done;
}
int posix_fallocate64(int fd, off_t at, off_t n) { return posix_fallocate(fd, at, n); }

static int synced(int fd, long call) {
  enter();
  int done = syscall(call, fd);
  uint64_t inode = inode_of(fd, NULL);
  if (!done && inode) note(SYNC, inode, 0, "", 0, "", 0);
  leave();
  return done;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int changed(uint8_t what, int from, const char *a, int to, const char *b, int result, uint64_t inode) {
  char first[PATH_MAX] = "", second[PATH_MAX] = "";
  if (result || log_fd < 0 || depth > 1) return result;
  whole(from, a, first);
  if (b) whole(to, b, second);
  if (below(first) || below(second)) note(what, inode, 0, first, strlen(first), second, strlen(second));
  return result;
}

int renameat2(int from, const char *a, int to, const char *b, unsigned flags) {
  enter();
  int refused = is_frozen(from, a) || is_frozen(to, b);
  int done = changed(RENAME, from, a, to, b, refused ? -1 : syscall(SYS_renameat2, from, a, to, b, flags), 0);
  leave();
  return done;
}
int renameat(int from, const char *a, int to, const char *b) { return renameat2(from, a, to, b, 0); }
int rename(const char *a, const char *b) { return renameat2(AT_FDCWD, a, AT_FDCWD, b, 0); }

int unlinkat(int folder, const char *path, int flags) {
  enter();
  uint8_t what = flags & AT_REMOVEDIR ? RMDIR : UNLINK;
  int done = changed(what, folder, path, 0, NULL, is_frozen(folder, path) ? -1 : syscall(SYS_unlinkat, folder, path, flags), 0);
  leave();
  return done;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *path, mode_t mode) {
  struct stat found = {0};
  enter();
  int done = is_frozen(folder, path) ? -1 : syscall(SYS_mkdirat, folder, path, mode);
  if (!done) fstatat(folder, path, &found, 0);
  changed(MKDIR, folder, path, 0, NULL, done, found.st_ino);
  leave();
  return done;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int linkat(int from, const char *a, int to, const char *b, int flags) {
  enter();
  int done = changed(LINK, from, a, to, b, is_frozen(to, b) ? -1 : syscall(SYS_linkat, from, a, to, b, flags), 0);
  leave();
  return done;
}
int link(const char *a, const char *b) { return linkat(AT_FDCWD, a, AT_FDCWD, b, 0); }

int clock_gettime(clockid_t which, struct timespec *now) {
  int done = syscall(SYS_clock_gettime, which, now);
  if (!done && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += read_number("SHIM_CLOCK", 0);
  return done;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec found;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &found)) return -1;
  now->tv_sec = found.tv_sec;
  now->tv_usec = found.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *out) {
  struct timespec found;
  clock_gettime(CLOCK_REALTIME, &found);
  if (out) *out = found.tv_sec;
  return found.tv_sec;
}
