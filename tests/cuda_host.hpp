// Stands in for CUDA, so that a C++ compiler reads the kernels of gpu_pipeline and a processor runs them.
//
// A block of one thread is a plain call. In a larger block each thread is a fiber that runs until the next barrier,
// shuffle or ballot, where it waits for the others: what the lanes of a warp tell each other is then tested as it is.
// One launch at a time; blocks run one after another.
#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__ static inline
#define __shared__ static
#define __restrict__
#define __launch_bounds__(threads, blocks)

struct Index {
    unsigned int x;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

struct float2 {
    float x, y;
};
struct float3 {
    float x, y, z;
};
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }

namespace host {

struct Fiber {
    ucontext_t context;
    jmp_buf place;  // Later switches: unlike swapcontext these make no call to the system.
    std::vector<char> stack = std::vector<char>(1 << 16);
    bool begun = false, ended = false;
};

static std::vector<Fiber> fibers;
static jmp_buf scheduler;
static std::vector<unsigned long long> slots(1024);
static unsigned int waiting = 0, alive = 0, turn = 0;
static bool backwards = false;  // Blocks and threads in the other order: what depends on it lacks a barrier.
static void (*body)(void**);
static void** arguments;

static void pause() {
    if (blockDim.x > 1 && _setjmp(fibers[threadIdx.x].place) == 0) _longjmp(scheduler, 1);
}

static void start() {
    body(arguments);
    fibers[threadIdx.x].ended = true;
    _longjmp(scheduler, 1);
}

static void go_on(Fiber& fiber) {
    if (_setjmp(scheduler) != 0) return;
    if (fiber.begun) _longjmp(fiber.place, 1);
    fiber.begun = true;
    setcontext(&fiber.context);
}

static void run_fibers() {
    if (fibers.size() < blockDim.x) fibers.resize(blockDim.x);
    alive = blockDim.x;
    waiting = 0;
    for (unsigned int t = 0; t < blockDim.x; t++) {
        Fiber& fiber = fibers[t];
        fiber.begun = fiber.ended = false;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, start, 0);
    }
    while (alive > 0)
        for (unsigned int i = 0; i < blockDim.x; i++) {
            const unsigned int t = backwards ? blockDim.x - 1 - i : i;
            if (!fibers[t].ended) {
                threadIdx.x = t;
                go_on(fibers[t]);
                if (fibers[t].ended) alive--;
            }
        }
}

template <typename T>
T from(unsigned int lane) {
    T value;
    std::memcpy(&value, &slots[lane], sizeof(T));
    return value;
}

template <typename T>
void tell(T value) {
    std::memcpy(&slots[threadIdx.x], &value, sizeof(T));
}

template <typename... A, size_t... I>
void call(void (*kernel)(A...), void** args, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_const_t<A>*>(args[I])...);
}

template <auto kernel, typename... A>
void apply(void (*)(A...), void** args) {
    call(kernel, args, std::index_sequence_for<A...>());
}

template <auto kernel>
void unpack(void** args) {
    apply<kernel>(kernel, args);
}

template <auto kernel>
void launch(unsigned int grid, unsigned int block, void** args) {
    gridDim.x = grid;
    blockDim.x = block;
    body = unpack<kernel>;
    arguments = args;
    for (unsigned int b = 0; b < grid; b++) {
        blockIdx.x = backwards ? grid - 1 - b : b;
        threadIdx.x = 0;
        if (block == 1) body(args);
        else run_fibers();
    }
}

}  // namespace host

static inline void __syncthreads() {
    if (blockDim.x == 1) return;
    const unsigned int mine = host::turn;
    if (++host::waiting == host::alive) {
        host::waiting = 0;
        host::turn++;
    }
    while (host::turn == mine) host::pause();
    host::pause();
}

static inline void __syncwarp() { host::pause(); }
static inline void __threadfence() {}

template <typename T>
static inline T __shfl_xor_sync(unsigned int, T value, int distance) {
    host::tell(value);
    host::pause();
    value = host::from<T>(threadIdx.x ^ distance);
    host::pause();
    return value;
}

static inline unsigned int __ballot_sync(unsigned int, bool vote) {
    host::tell(vote);
    host::pause();
    const unsigned int first = threadIdx.x / 32 * 32;
    unsigned int votes = 0;
    for (unsigned int t = first; t < blockDim.x && t < first + 32; t++) votes |= (unsigned int)host::from<bool>(t) << (t - first);
    host::pause();
    return votes;
}

template <typename T>
static inline T atomicAdd(T* place, T value) {
    static_assert(std::is_integral_v<T>, "floats added atomically give other bytes in every run");
    const T before = *place;
    *place += value;
    return before;
}

static inline float __fdividef(float a, float b) { return a / b; }
static inline int __popc(unsigned int bits) { return __builtin_popcount(bits); }
static inline unsigned int __float_as_uint(float value) {
    unsigned int bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }

#define LAUNCHER(kernel)                                                                    \
    extern "C" __attribute__((visibility("default"))) void launch_##kernel(                 \
        unsigned int grid, unsigned int block, void** args) {                               \
        host::launch<&kernel>(grid, block, args);                                           \
    }

extern "C" __attribute__((visibility("default"))) void run_backwards(int yes) { host::backwards = yes != 0; }
