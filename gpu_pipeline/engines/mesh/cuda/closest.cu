// Exact nearest neighbours in one pass: scalar products stay in registers, and what is below a row's worst neighbour so far
// waits in shared memory until there is enough of it to be merged. Nothing of n x n is ever written.

#define EACH 8       // Rows and columns of a thread.
#define CHUNK 16     // Coordinates that are in shared memory at a time.
#define PITCH 132    // Of a chunk's coordinates: 128 rows, and four that keep them in different banks.
#define WAITING 28   // Pairs of a row that wait; with all else the most that 48 KiB hold.
#define CLOSEST 256  // Pairs that a warp sorts: those kept and those that wait.
#define FAR 3.402823466e38f  // Largest float: above it is nothing that could be a neighbour.

// Groups of threads along each side of a tile; on the host one thread may be all of them.
#ifdef __CUDACC__
#define SIDE 16
#else
#define SIDE (blockDim.x == 1 ? 1 : 16)
#endif

struct alignas(16) Four {
    float v[4];
};

// Place in a tile of a group's i-th row or column: two runs of four, so that loads of 16 bytes meet no bank twice.
__device__ int place(int group, int i) { return i / 4 * 4 * SIDE + 4 * group + i % 4; }

// Some coordinates of the rows from `first` on, transposed; zero beyond the last row.
__device__ void fetch(float* tile, const float* X, int first, int n, int width, int base, int steps) {
#pragma unroll
    for (int i = threadIdx.x; i < EACH * SIDE * CHUNK; i += (int)blockDim.x) {
        const int row = i / CHUNK, c = i % CHUNK;
        if (c < steps) tile[c * PITCH + row] = first + row < n ? X[(long long)(first + row) * width + base + c] : 0.0f;
    }
}

// Sum a chunk of the products of a thread's rows with its columns.
__device__ void multiply(const float* left, const float* right, int steps, int down, int along, float (&sums)[EACH][EACH]) {
    for (int c = 0; c < steps; c++) {
        Four a[2], b[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            a[half] = *(const Four*)(left + c * PITCH + place(down, 4 * half));
            b[half] = *(const Four*)(right + c * PITCH + place(along, 4 * half));
        }
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
            for (int j = 0; j < EACH; j++) sums[i][j] += a[i / 4].v[i % 4] * b[j / 4].v[j % 4];
    }
}

// Two chunks of coordinates, and by turns what the warps sort.
struct alignas(16) Space {
    u64 pairs[CHUNK * PITCH];
};

// What the rows of a block have found.
struct Found {
    u64 waiting[EACH * 16 * WAITING];
    u64 limits[EACH * 16];      // A row's worst pair; all ones while it has less than k.
    float ceilings[EACH * 16];  // Its key.
    int counts[EACH * 16];      // Pairs that wait; more than there is room for, where some were turned away.
    int sizes[EACH * 16];       // Pairs that are kept.
};

// Merge what waits for a row into its k best; one warp.
__device__ void merge(Found& found, int row, u64* kept, u64* pairs, int k, int lane, int lanes) {
    const int more = found.counts[row] < WAITING ? found.counts[row] : WAITING, size = found.sizes[row];
    for (int i = lane; i < size; i += lanes) pairs[i] = kept[i];
    for (int i = lane; i < more; i += lanes) pairs[size + i] = found.waiting[row * WAITING + i];
    __syncwarp();
    const int now = keep(pairs, size + more, k, CLOSEST, lane, lanes);
    for (int i = lane; i < now; i += lanes) kept[i] = pairs[i];
    if (lane == 0) {
        found.counts[row] = 0;
        found.sizes[row] = now;
        if (now == k) {
            const unsigned int ordered = (unsigned int)(pairs[k - 1] >> 32);
            found.limits[row] = pairs[k - 1];
            found.ceilings[row] = __uint_as_float(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
        }
    }
    __syncwarp();
}

// Let a thread's pairs wait that may be among their rows' k best; whether one found no room. Those that wait get a key
// beyond all others. Which pairs are kept in the end does not depend on who comes first.
__device__ bool queue(Found& found, float (&keys)[EACH][EACH], int down, int along, int first) {
    bool full = false;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        const int row = place(down, i);
        const float ceiling = found.ceilings[row];
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            if (!(keys[i][j] <= ceiling)) continue;
            const u64 pair = sortable(keys[i][j], first + place(along, j));
            if (pair < found.limits[row]) {
                const int slot = atomicAdd(&found.counts[row], 1);
                if (slot >= WAITING) {
                    full = true;
                    continue;
                }
                found.waiting[row * WAITING + slot] = pair;
            }
            keys[i][j] = __uint_as_float(0x7f800000u);
        }
    }
    return full;
}

// The k least pairs of each row, sorted, as `nearest` leaves them after all tiles; k at most CLOSEST - WAITING. 128 rows a
// block, 16 x 16 threads with 8 x 8 products each.
extern "C" __launch_bounds__(256, 2) __global__ void closest(int n, int width, int k, const float* __restrict__ X,
                                                             const float* __restrict__ halves, u64* best) {
    __shared__ Space space;
    __shared__ Found found;
    const int tile = EACH * SIDE, top = (int)blockIdx.x * tile;
    const int down = threadIdx.x / SIDE, along = threadIdx.x % SIDE;
    const int lanes = LANES(32), lane = lane_of(lanes), warp = threadIdx.x / lanes, warps = blockDim.x / lanes;
    float *left = (float*)space.pairs, *right = left + CHUNK * PITCH;
    for (int row = threadIdx.x; row < tile; row += (int)blockDim.x) {
        found.counts[row] = found.sizes[row] = 0;
        found.limits[row] = ~(u64)0;
        found.ceilings[row] = top + row < n ? FAR : -FAR;
    }
    for (int first = 0; first < n; first += tile) {
        float keys[EACH][EACH] = {};
        for (int base = 0; base < width; base += CHUNK) {
            const int steps = width - base < CHUNK ? width - base : CHUNK;
            __syncthreads();
            fetch(left, X, top, n, width, base, steps);
            fetch(right, X, first, n, width, base, steps);
            __syncthreads();
            multiply(left, right, steps, down, along, keys);
        }
        bool near = false;
        float ceilings[EACH];
#pragma unroll
        for (int i = 0; i < EACH; i++) ceilings[i] = found.ceilings[place(down, i)];
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            const int column = first + place(along, j);
            const float half = column < n ? halves[column] : __uint_as_float(0x7f800000u);
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                keys[i][j] = column == top + place(down, i) ? __uint_as_float(0x7f800000u) : half - keys[i][j];
                near |= keys[i][j] <= ceilings[i];
            }
        }
        bool again = __syncthreads_or(near) != 0;
        while (again) {
            again = __syncthreads_or(queue(found, keys, down, along, first)) != 0;
            for (int row = warp; again && row < tile; row += warps)
                if (found.counts[row] >= WAITING)
                    merge(found, row, best + (long long)(top + row) * k, space.pairs + warp * CLOSEST, k, lane, lanes);
            __syncthreads();
        }
    }
    for (int row = warp; row < tile; row += warps)
        if (found.counts[row] > 0)
            merge(found, row, best + (long long)(top + row) * k, space.pairs + warp * CLOSEST, k, lane, lanes);
}
