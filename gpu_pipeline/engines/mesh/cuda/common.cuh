// What the kernels share. The files of this folder are joined to one source (`gpu.source`), which NVRTC, nvcc and, behind a
// header that stands in for CUDA (tests/cuda_host.hpp), a C++ compiler can read. They include nothing.
//
// Same seed, same bytes: floats are added in a fixed order within a group of lanes, and across groups only integers
// are added, which gives the same sum in any order. No float is added atomically.

typedef unsigned long long u64;

// Lanes that work on one row together. On the host a block may be smaller than a warp, down to one thread that does
// the work of all lanes.
#ifdef __CUDACC__
#define LANES(wide) (wide)
#else
#define LANES(wide) (blockDim.x < (wide) ? (int)blockDim.x : (wide))
#endif

#define EVERY_LANE 0xffffffffu

// A block's dynamic shared memory as pairs of 64 bits.
#ifdef __CUDACC__
#define SHARED_PAIRS(name) extern __shared__ u64 name[]
#else
#define SHARED_PAIRS(name) static u64 name[1 << 13]
#endif

struct alignas(8) Edge {  // One load of eight bytes.
    unsigned int column;
    float p;
};

// Sum over a group of lanes, the same in each of them.
template <typename T>
__device__ T together(T value, int lanes) {
    for (int distance = lanes / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(EVERY_LANE, value, distance);
    return value;
}

__device__ double least_of(double value, int lanes) {
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value = fmin(value, __shfl_xor_sync(EVERY_LANE, value, distance));
    return value;
}

// Row and lane of a thread, `lanes` of which share a row.
__device__ long long row_of(int lanes) { return (long long)blockIdx.x * (blockDim.x / lanes) + threadIdx.x / lanes; }

__device__ int lane_of(int lanes) { return threadIdx.x % lanes; }

__device__ long long item_of() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }

// Cubic B-spline at a distance of `d` nodes, below 2, and its derivative.
__device__ float spline(float d) {
    const float r = fabsf(d), a = 2.0f - r;
    return r < 1.0f ? (4.0f - 6.0f * r * r + 3.0f * r * r * r) * (1.0f / 6.0f) : a * a * a * (1.0f / 6.0f);
}

__device__ float spline_slope(float d) {
    const float r = fabsf(d), a = 2.0f - r;
    const float slope = r < 1.0f ? r * (1.5f * r - 2.0f) : -0.5f * a * a;
    return d < 0.0f ? -slope : slope;
}
