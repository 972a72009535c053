// Exact nearest neighbours: a running selection from tiles of scalar products, and the distances of what was found.

#define STEPS 4  // Products that a lane loads before it looks at the first.

// Order of (key, number) pairs as that of integers, so that equal keys are told apart.
__device__ u64 sortable(float key, long long number) {
    const unsigned int bits = __float_as_uint(key);
    const unsigned int ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (u64)ordered << 32 | (u64)number;
}

// Bitonic sort of `room` (a power of two) pairs in shared memory by the lanes of a warp.
__device__ void sort_pairs(u64* pairs, int room, int lane, int lanes) {
    for (int size = 2; size <= room; size *= 2)
        for (int distance = size / 2; distance > 0; distance /= 2) {
            for (int i = lane; i < room / 2; i += lanes) {
                const int a = i / distance * 2 * distance + i % distance, b = a + distance;
                const u64 first = pairs[a], second = pairs[b];
                if ((first > second) == ((a & size) == 0)) {
                    pairs[a] = second;
                    pairs[b] = first;
                }
            }
            __syncwarp();
        }
}

// The k least pairs at the front, sorted; how many there are.
__device__ int keep(u64* pairs, int size, int k, int room, int lane, int lanes) {
    for (int i = size + lane; i < room; i += lanes) pairs[i] = ~(u64)0;
    __syncwarp();
    sort_pairs(pairs, room, lane, lanes);
    return size < k ? size : k;
}

// Take the products of some rows with some columns into the rows' best k so far, one warp (and block) a row. The key of
// column c is |c|^2 / 2 - <row, c>, half the squared distance but for a constant of the row. Which k are kept does not
// depend on the order of the tiles.
extern "C" __global__ void nearest(int rows, int columns, int k, int room, long long first_row, long long first_column,
                                  const float* __restrict__ products, const float* __restrict__ halves, u64* best,
                                  int* sizes) {
    SHARED_PAIRS(pairs);
    const int lanes = LANES(32), lane = lane_of(lanes), row = blockIdx.x, stored = sizes[row];
    const float* line = products + (long long)row * columns;
    u64* kept = best + (long long)row * k;
    for (int i = lane; i < stored; i += lanes) pairs[i] = kept[i];
    __syncwarp();
    int size = stored;
    bool changed = false;
    u64 limit = size == k ? pairs[k - 1] : ~(u64)0;
    for (int base = 0; base < columns; base += STEPS * lanes) {
        float keys[STEPS];
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            const int column = base + i * lanes + lane;
            keys[i] = column < columns ? halves[column] - line[column] : 0.0f;
        }
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            const int column = base + i * lanes + lane;
            const u64 pair = sortable(keys[i], first_column + column);
            const bool near = column < columns && pair < limit && first_column + column != first_row + row;
            const unsigned int found = __ballot_sync(EVERY_LANE, near);
            if (found == 0) continue;
            if (near) pairs[size + __popc(found & ((1u << lane) - 1u))] = pair;
            size += __popc(found);
            changed = true;
            __syncwarp();
            if (size > room - lanes) {
                size = keep(pairs, size, k, room, lane, lanes);
                if (size == k) limit = pairs[k - 1];
                __syncwarp();
            }
        }
    }
    if (!changed) return;
    size = keep(pairs, size, k, room, lane, lanes);
    for (int i = lane; i < size; i += lanes) kept[i] = pairs[i];
    if (lane == 0) sizes[row] = size;
}

// Numbers and squared distances of the pairs that were kept, from the differences: exact for copies, unlike the keys.
// Eight lanes a pair.
extern "C" __global__ void squares(long long count, int k, int width, const float* X, const u64* best, int* indices,
                                   float* distances) {
    const int lanes = LANES(8), lane = lane_of(lanes);
    const long long row = row_of(lanes), item = row < count ? row : count - 1;
    const long long other = (long long)(best[item] & 0xffffffffull);
    const float *a = X + item / k * width, *b = X + other * width;
    float total = 0.0f;
    for (int column = lane; column < width; column += lanes)
        total += (a[column] - b[column]) * (a[column] - b[column]);
    total = together(total, lanes);
    if (row < count && lane == 0) {
        indices[item] = (int)other;
        distances[item] = total;
    }
}
