/* io MODE FILE-OR-DIRECTORY COUNT direct|buffered: COUNT operations were done, or status 1.
 *
 * Modes: none, seqwrite and seqread (1 MiB), randwrite and randread (4 KiB, over the whole of an
 * existing file), meta (create, stat, rename, unlink of COUNT files). Writes end with fsync. `direct`
 * passes by the cache of whoever runs it, where the file system can do that.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1 << 20)
#define PAGE 4096

static int failed(const char *what)
{
    perror(what);
    return 1;
}

static int meta(const char *directory, long count)
{
    char from[4096], to[4096];
    struct stat found;

    for (long i = 0; i < count; i++) {
        snprintf(from, sizeof from, "%s/a%ld", directory, i);
        snprintf(to, sizeof to, "%s/b%ld", directory, i);
        int fd = open(from, O_CREAT | O_WRONLY | O_EXCL, 0644);
        if (fd < 0 || close(fd) || stat(from, &found) || rename(from, to) || unlink(to))
            return failed("meta");
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const char *mode = argv[1];
    long count = atol(argv[3]);
    if (!strcmp(mode, "none"))
        return 0;
    if (!strcmp(mode, "meta"))
        return meta(argv[2], count);

    int writes = strstr(mode, "write") != NULL, random_ = strstr(mode, "rand") != NULL;
    int flags = writes ? O_WRONLY | (random_ ? 0 : O_CREAT | O_TRUNC) : O_RDONLY;
    if (!strcmp(argv[4], "direct"))
        flags |= O_DIRECT;
    size_t size = random_ ? PAGE : MIB;
    char *data;
    int fd = open(argv[2], flags, 0644);
    if (fd < 0 || posix_memalign((void **)&data, PAGE, size))
        return failed(argv[2]);
    memset(data, 'x', size);
    off_t pages = lseek(fd, 0, SEEK_END) / PAGE;
    srandom(1);
    for (long i = 0; i < count; i++) {
        off_t at = random_ ? random() % pages * PAGE : (off_t)i * MIB;
        ssize_t done = writes ? pwrite(fd, data, size, at) : pread(fd, data, size, at);
        if (done != (ssize_t)size)
            return failed(mode);
    }
    if (writes && fsync(fd))
        return failed("fsync");
    return 0;
}
