/* Calls one function of the kernels on memory that another process has put into a file: tests/support/foreign.py. Each
   range of memory lies at its own address, and what is written there is written into the file. */

#include "passes.c"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    LANES_OF, GROUPS_PER_STRIP, SCRATCH_VECTORS, PARTIAL_SUMS_SIZE, DRAW_KEPT, READ_IMAGES, WRITE_IMAGES, FORWARD, BACKWARD
};

#define P(n) ((void *)(uintptr_t)a[n])

static int64_t call(int64_t function, const int64_t *a) {
    switch (function) {
    case LANES_OF: return lanes();
    case GROUPS_PER_STRIP: return groups_per_strip(P(0));
    case SCRATCH_VECTORS: return scratch_vectors(P(0), a[1]);
    case PARTIAL_SUMS_SIZE: return partial_sums_size(P(0), a[1], a[2]);
    case DRAW_KEPT: draw_kept(P(0), P(1), a[2], a[3]); return 0;
    case READ_IMAGES: read_images(P(0), P(1), P(2), a[3], a[4], a[5]); return 0;
    case WRITE_IMAGES: write_images(P(0), P(1), P(2), P(3), a[4], a[5], a[6], P(7), P(8)); return 0;
    case FORWARD: forward(P(0), a[1], P(2), a[3]); return 0;
    default: backward(P(0), a[1], P(2), P(3), P(4), a[5], P(6), P(7), a[8]); return 0;
    }
}

/* The file begins with the function, nine arguments, the number of ranges, and address, size and place in the file of
   each. */
int main(int count, char **arguments) {
    int file = count > 1 ? open(arguments[1], O_RDWR) : -1;
    int64_t head[11], range[3];
    if (file < 0 || read(file, head, sizeof(head)) != sizeof(head)) return 1;
    for (int64_t n = 0; n < head[10]; n++) {
        if (read(file, range, sizeof(range)) != sizeof(range)) return 1;
        void *at = (void *)(uintptr_t)range[0];
        int flags = MAP_SHARED | MAP_FIXED_NOREPLACE;
        if (mmap(at, (size_t)range[1], PROT_READ | PROT_WRITE, flags, file, range[2]) != at) return 2;
    }
    printf("%lld\n", (long long)call(head[0], head + 1));
    return 0;
}
