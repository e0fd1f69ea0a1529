/* SPDX-License-Identifier: Apache-2.0 */
/* A CUDA driver that has no GPU: it keeps the rules of registered memory,
 * contexts, streams, events, captures and children of fork() that matter to a
 * ring, records calls, and fails where it is told to. Built as libcuda.so.1 by
 * tests/integration/test_python.sh and tests/gpu/run.sh.
 *
 * The "device" works when it is let: what was put on a stream is done by
 * fake_run(), by the synchronizing calls, and a piece of it whenever somebody
 * has asked 16 times whether an event is done; and copies read the host's
 * memory only then, as a real one may. It has a clock of its own: 50 GB/s from
 * memory that it knows, 10 from other. For one thread at a time.
 *
 * FAKE_CUDA_BUG names what is wrong with it, for those who have to notice:
 *   batch: the last copy of a batch is not done
 *   corrupt: every third copy has a wrong byte
 *   eager: copies are done at once, while the caller waits
 *   event: events are done before what is in front of them
 *   fork: a fork loses the parent's registrations
 *   read_only: read-only memory can't be registered
 *   refuse: nothing can be registered
 *   slow: registered memory is no faster than other */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_CONTEXT = 201,
    INVALID_HANDLE = 400,
    ALREADY_REGISTERED = 712,
    NOT_REGISTERED = 713,
    NOT_SUPPORTED = 801,
    NOT_READY = 600,
    CAPTURE_UNSUPPORTED = 900,

    RELAXED = 2,
    NO_TIMING_FLAG = 2,
    READ_ONLY_FLAG = 8,
    READ_ONLY_ATTRIBUTE = 113,
    LOG_MAX = 1 << 16,
    RANGES_MAX = 64,
    WORK_MAX = 4096,
    DEPTH_MAX = 16,
    QUERIES = 16,
};

#define REGISTER_MAX ((size_t)1 << 39)

struct event {
    bool is_done;
    bool is_live;
    bool has_time;
    void *context;
    uint64_t at_us;
};

struct work {
    void *stream;
    void *to;
    const void *from;
    size_t size;
    struct event *event;
};

static struct {
    char log[LOG_MAX];
    size_t log_size;

    char fail_name[64]; /* This call's */
    int fail_at;        /* n-th time from now on */
    int fail_code;      /* says that. */

    int has_read_only;
    void *contexts[DEPTH_MAX]; /* A stack. */
    int depth;
    struct range {
        const char *at;
        size_t size;
        bool is_own; /* The driver's. */
    } ranges[RANGES_MAX];
    int range_count;
    struct work work[WORK_MAX];
    int work_count;
    uint64_t clock_us;
    uint64_t copies;
    uint64_t queries; /* Of events that were not done. */

    pid_t pid;            /* Of who called cuInit(). */
    void *capture;        /* This stream is captured, */
    bool is_capture_lost; /* and somebody has spoilt that. */
} fake = {.has_read_only = 1};

static _Thread_local int capture_mode; /* 0: global. */
static int context;
static int other_context;
static int other_stream; /* That one's. */

/* ---- For the tests. --------------------------------------------------------
 */

void fake_reset(void);
void fake_fail(const char *name, int at, int code);
void fake_set_read_only(int has);
const char *fake_log(void);
int fake_registered(void);
int fake_pending(void);
void fake_run(void);
void fake_capture(void *stream);
int fake_is_capture_lost(void);
void *fake_other_stream(void);
void fake_set_other(int is_current);

void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.has_read_only = 1;
}

/* From now on @stream is captured, in the way that minds every thread. */
void fake_capture(void *stream)
{
    fake.capture = stream;
}

int fake_is_capture_lost(void)
{
    return fake.is_capture_lost;
}

/* A stream of a context that is not the device's primary one. */
void *fake_other_stream(void)
{
    return &other_stream;
}

/* Make that context the thread's, or take it away. */
void fake_set_other(int is_current)
{
    fake.depth = is_current;
    fake.contexts[0] = &other_context;
}

void fake_fail(const char *name, int at, int code)
{
    snprintf(fake.fail_name, sizeof(fake.fail_name), "%s", name);
    fake.fail_at = at;
    fake.fail_code = code;
}

void fake_set_read_only(int has)
{
    fake.has_read_only = has;
}

const char *fake_log(void)
{
    return fake.log;
}

int fake_registered(void)
{
    int count = 0;

    for (int i = 0; i < fake.range_count; i++) {
        count += fake.ranges[i].is_own ? 0 : 1;
    }
    return count;
}

int fake_pending(void)
{
    return fake.work_count;
}

static bool fake_has_bug(const char *name)
{
    const char *bugs = getenv("FAKE_CUDA_BUG");

    return bugs != NULL && strcmp(bugs, name) == 0;
}

/* The range that @at lies in, or NULL. */
static struct range *fake_range(const char *at)
{
    for (int i = 0; i < fake.range_count; i++) {
        if (at >= fake.ranges[i].at &&
            at < fake.ranges[i].at + fake.ranges[i].size) {
            return &fake.ranges[i];
        }
    }
    return NULL;
}

static void fake_copy(void *to, const void *from, size_t size)
{
    const struct range *range = fake_range(from);
    bool is_fast = range != NULL && (range->is_own || !fake_has_bug("slow"));

    memcpy(to, from, size);
    fake.clock_us += 1 + size / (is_fast ? 50000 : 10000);
    if (++fake.copies % 3 == 0 && size > 0 && fake_has_bug("corrupt")) {
        ((char *)to)[size - 1] ^= 1;
    }
}

/* Do @count things that were put on streams, in order. */
static void fake_do(int count)
{
    for (int i = 0; i < count; i++) {
        struct work *w = &fake.work[i];

        if (w->event != NULL) {
            w->event->is_done = true;
            w->event->at_us = fake.clock_us;
        } else {
            fake_copy(w->to, w->from, w->size);
        }
    }
    fake.work_count -= count;
    memmove(fake.work, fake.work + count,
            (size_t)fake.work_count * sizeof(fake.work[0]));
}

void fake_run(void)
{
    fake_do(fake.work_count);
}

/* ---- Inside. ---------------------------------------------------------------
 */

/* Note the call. Not SUCCESS: it is to fail so. */
static int fake_call(const char *name, uint64_t a, uint64_t b)
{
    size_t room = LOG_MAX - fake.log_size;
    int used = snprintf(fake.log + fake.log_size, room, "%s %llu %llu\n", name,
                        (unsigned long long)a, (unsigned long long)b);

    if (used > 0 && (size_t)used < room) {
        fake.log_size += (size_t)used;
    }
    if (fake.pid != 0 && fake.pid != getpid()) {
        return NOT_INITIALIZED;
    }
    if (strcmp(name, fake.fail_name) == 0 && --fake.fail_at == 0) {
        return fake.fail_code;
    }
    return SUCCESS;
}

static int fake_call_in_context(const char *name, uint64_t a, uint64_t b)
{
    int code = fake_call(name, a, b);

    return code == SUCCESS && fake.depth == 0 ? NO_CONTEXT : code;
}

/* The same for what no test looks at. */
static int fake_in_context(void)
{
    if (fake.pid != 0 && fake.pid != getpid()) {
        return NOT_INITIALIZED;
    }
    return fake.depth == 0 ? NO_CONTEXT : SUCCESS;
}

/* Which calls a capture minds, unless their thread says that it need not. */
static int fake_call_unless_captured(const char *name, uint64_t a, uint64_t b)
{
    int code = fake_call_in_context(name, a, b);

    if (code == SUCCESS && fake.capture != NULL && capture_mode != RELAXED) {
        fake.is_capture_lost = true;
        return CAPTURE_UNSUPPORTED;
    }
    return code;
}

static int fake_add_work(struct work work)
{
    if (fake.work_count == WORK_MAX) {
        return OUT_OF_MEMORY;
    }
    fake.work[fake.work_count++] = work;
    if (fake_has_bug("eager")) {
        fake_run();
    }
    return SUCCESS;
}

/* Whether memory at @at can be written: registering it as if it could when it
 * can't is refused by the driver. */
static bool fake_is_writable(const void *at)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long long from;
    unsigned long long to;
    char rights[8];
    bool is_writable = false;

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) == 3 &&
            from <= (uintptr_t)at && (uintptr_t)at < to) {
            is_writable = rights[1] == 'w';
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return is_writable;
}

/* ---- The driver's interface. -----------------------------------------------
 */

int cuInit(unsigned flags);
int cuDriverGetVersion(int *out);
int cuDeviceGetCount(int *out);
int cuDeviceGet(int *out, int ordinal);
int cuDeviceGetName(char *out, int size, int device);
int cuDeviceGetAttribute(int *out, int which, int device);
int cuDeviceGetPCIBusId(char *out, int size, int device);
int cuDevicePrimaryCtxRetain(void **out, int device);
int cuCtxPushCurrent_v2(void *ctx);
int cuCtxPopCurrent_v2(void **out);
int cuCtxGetDevice(int *out);
int cuCtxSynchronize(void);
int cuThreadExchangeStreamCaptureMode(int *mode);
int cuPointerGetAttribute(void *out, int which, uint64_t at);
int cuMemHostRegister_v2(void *at, size_t size, unsigned flags);
int cuMemHostUnregister(void *at);
int cuMemHostAlloc(void **out, size_t size, unsigned flags);
int cuMemFreeHost(void *at);
int cuMemAlloc_v2(uint64_t *out, size_t size);
int cuMemFree_v2(uint64_t at);
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size,
                         void *stream);
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t size);
int cuMemcpyBatchAsync_v2(const uint64_t *to, const uint64_t *from,
                          const size_t *sizes, size_t count, ...);
int cuStreamGetCtx(void *stream, void **out);
int cuStreamIsCapturing(void *stream, int *out);
int cuStreamQuery(void *stream);
int cuStreamWaitEvent(void *stream, void *event, unsigned flags);
int cuStreamCreate(void **out, unsigned flags);
int cuStreamSynchronize(void *stream);
int cuStreamDestroy_v2(void *stream);
int cuEventCreate(void **out, unsigned flags);
int cuEventRecord(void *event, void *stream);
int cuEventQuery(void *event);
int cuEventSynchronize(void *event);
int cuEventElapsedTime(float *out, void *from, void *to);
int cuEventDestroy_v2(void *event);
int cuGetErrorName(int code, const char **out);

/* In the parent, after a fork. */
static void fake_lose(void)
{
    fake.range_count = fake_has_bug("fork") ? 0 : fake.range_count;
}

int cuInit(unsigned flags)
{
    static bool is_told;
    int code = fake_call("cuInit", flags, 0);

    if (code == SUCCESS) {
        fake.pid = getpid();
    }
    if (!is_told) {
        is_told = true;
        pthread_atfork(NULL, fake_lose, NULL);
    }
    return code;
}

int cuDriverGetVersion(int *out)
{
    *out = 0;
    return SUCCESS;
}

int cuDeviceGetCount(int *out)
{
    *out = 1;
    return SUCCESS;
}

int cuDeviceGet(int *out, int ordinal)
{
    *out = ordinal;
    return ordinal == 0 ? fake_call("cuDeviceGet", 0, 0) : 101;
}

int cuDeviceGetName(char *out, int size, int device)
{
    (void)device;
    snprintf(out, (size_t)size, "fake");
    return SUCCESS;
}

int cuDeviceGetAttribute(int *out, int which, int device)
{
    (void)device;
    *out = which == READ_ONLY_ATTRIBUTE ? fake.has_read_only : 0;
    return fake_call("cuDeviceGetAttribute", (uint64_t)which, 0);
}

int cuDevicePrimaryCtxRetain(void **out, int device)
{
    *out = &context;
    return fake_call("cuDevicePrimaryCtxRetain", (uint64_t)device, 0);
}

int cuDeviceGetPCIBusId(char *out, int size, int device)
{
    snprintf(out, (size_t)size, "0000:00:%02x.0", (unsigned)device);
    return SUCCESS;
}

int cuCtxPushCurrent_v2(void *ctx)
{
    if (fake.pid != 0 && fake.pid != getpid()) {
        return NOT_INITIALIZED;
    }
    if ((ctx != &context && ctx != &other_context) || fake.depth == DEPTH_MAX) {
        return INVALID_VALUE;
    }
    fake.contexts[fake.depth++] = ctx;
    return SUCCESS;
}

int cuCtxPopCurrent_v2(void **out)
{
    if (fake.depth == 0) {
        return NO_CONTEXT;
    }
    *out = fake.contexts[--fake.depth];
    return SUCCESS;
}

int cuCtxGetDevice(int *out)
{
    *out = 0;
    return fake_in_context();
}

int cuThreadExchangeStreamCaptureMode(int *mode)
{
    int before = capture_mode;

    capture_mode = *mode;
    *mode = before;
    return SUCCESS;
}

int cuPointerGetAttribute(void *out, int which, uint64_t at)
{
    int code = fake_in_context();

    if (code != SUCCESS || which != 2 ||
        fake_range((const char *)(uintptr_t)at) == NULL) {
        return code != SUCCESS ? code : INVALID_VALUE;
    }
    *(unsigned *)out = 1; /* The host's. */
    return SUCCESS;
}

int cuCtxSynchronize(void)
{
    fake_run();
    return fake_in_context();
}

int cuMemHostRegister_v2(void *at, size_t size, unsigned flags)
{
    const char *p = at;
    int code = fake_call_unless_captured("cuMemHostRegister_v2", size, flags);

    if (code != SUCCESS || fake_has_bug("refuse")) {
        return code != SUCCESS ? code : NOT_SUPPORTED;
    }
    if (size == 0 || size >= REGISTER_MAX || fake.range_count == RANGES_MAX) {
        return OUT_OF_MEMORY;
    }
    if ((flags & READ_ONLY_FLAG) != 0 &&
        (fake.has_read_only == 0 || fake_has_bug("read_only"))) {
        return NOT_SUPPORTED;
    }
    if ((flags & READ_ONLY_FLAG) == 0 && !fake_is_writable(at)) {
        return INVALID_VALUE;
    }
    for (int i = 0; i < fake.range_count; i++) {
        if (p < fake.ranges[i].at + fake.ranges[i].size &&
            fake.ranges[i].at < p + size) {
            return ALREADY_REGISTERED;
        }
    }
    fake.ranges[fake.range_count++] = (struct range){p, size, false};
    return SUCCESS;
}

int cuMemHostUnregister(void *at)
{
    int code = fake_call_in_context("cuMemHostUnregister", 0, 0);

    fake_run();
    if (code != SUCCESS) {
        return code;
    }
    for (int i = 0; i < fake.range_count; i++) {
        if (fake.ranges[i].at == at) {
            fake.ranges[i] = fake.ranges[--fake.range_count];
            return SUCCESS;
        }
    }
    return NOT_REGISTERED;
}

int cuMemHostAlloc(void **out, size_t size, unsigned flags)
{
    int code = fake_in_context();

    (void)flags;
    *out = code == SUCCESS ? malloc(size) : NULL;
    if (*out == NULL || fake.range_count == RANGES_MAX) {
        return code != SUCCESS ? code : OUT_OF_MEMORY;
    }
    fake.ranges[fake.range_count++] = (struct range){*out, size, true};
    return code;
}

int cuMemFreeHost(void *at)
{
    struct range *range = fake_range(at);

    fake_run();
    if (range == NULL || !range->is_own) {
        return INVALID_VALUE;
    }
    *range = fake.ranges[--fake.range_count];
    free(at);
    return fake_in_context();
}

int cuMemAlloc_v2(uint64_t *out, size_t size)
{
    void *at = malloc(size);

    *out = (uintptr_t)at;
    return at != NULL ? fake_in_context() : OUT_OF_MEMORY;
}

int cuMemFree_v2(uint64_t at)
{
    fake_run();
    free((void *)(uintptr_t)at);
    return fake_in_context();
}

/* Pinned memory is read when the device comes to it, other memory at once. */
static int fake_put_copy(uint64_t to, const void *from, size_t size,
                         void *stream)
{
    void *at = (void *)(uintptr_t)to;
    const char *p = from;
    const struct range *range = fake_range(p);

    if (range == NULL) {
        fake_run();
        fake_copy(at, from, size);
        return SUCCESS;
    }
    return p + size > range->at + range->size
               ? INVALID_VALUE /* Two registrations: the driver's. */
               : fake_add_work((struct work){stream, at, from, size, NULL});
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size,
                         void *stream)
{
    int code = fake_call_in_context("cuMemcpyHtoDAsync_v2", size, 0);

    return code != SUCCESS ? code : fake_put_copy(to, from, size, stream);
}

/* The rest is: how, which of those, how many of those, the stream. Whoever
 * passes whole numbers and pointers need not know that they are taken so. */
int cuMemcpyBatchAsync_v2(const uint64_t *to, const uint64_t *from,
                          const size_t *sizes, size_t count, ...)
{
    va_list rest;
    const int *how;
    const size_t *which;
    size_t how_count;
    void *stream;
    int order;
    int code;

    va_start(rest, count);
    how = va_arg(rest, const int *);
    which = va_arg(rest, const size_t *);
    how_count = va_arg(rest, size_t);
    stream = va_arg(rest, void *);
    va_end(rest);
    order = *how;
    code = fake_call_in_context("cuMemcpyBatchAsync_v2", count, how_count);
    if (code == SUCCESS && (count == 0 || how_count != 1 || which[0] != 0 ||
                            order < 1 || order > 3 || stream == NULL)) {
        return INVALID_VALUE;
    }
    count -= code == SUCCESS && fake_has_bug("batch") ? 1 : 0;
    for (size_t i = 0; i < count && code == SUCCESS; i++) {
        code = fake_put_copy(to[i], (const void *)(uintptr_t)from[i], sizes[i],
                             stream);
    }
    return code;
}

int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t size)
{
    fake_run();
    memcpy(to, (const void *)(uintptr_t)from, size);
    return fake_in_context();
}

int cuStreamCreate(void **out, unsigned flags)
{
    *out = malloc(1);
    return fake_call_in_context("cuStreamCreate", flags, 0);
}

int cuStreamGetCtx(void *stream, void **out)
{
    *out = stream == &other_stream ? &other_context : &context;
    return fake_call("cuStreamGetCtx", (uintptr_t)stream, 0);
}

int cuStreamIsCapturing(void *stream, int *out)
{
    *out = stream != NULL && stream == fake.capture;
    return fake_in_context();
}

int cuStreamQuery(void *stream)
{
    int code = fake_in_context();

    for (int i = 0; i < fake.work_count && code == SUCCESS; i++) {
        code = fake.work[i].stream == stream ? NOT_READY : SUCCESS;
    }
    return code;
}

/* All streams are one behind the others. */
int cuStreamWaitEvent(void *stream, void *event, unsigned flags)
{
    (void)stream;
    (void)event;
    (void)flags;
    return fake_in_context();
}

int cuStreamSynchronize(void *stream)
{
    (void)stream;
    fake_run();
    return fake_in_context();
}

int cuStreamDestroy_v2(void *stream)
{
    fake_run();
    free(stream);
    return fake_in_context();
}

int cuEventCreate(void **out, unsigned flags)
{
    struct event *e = calloc(1, sizeof(*e));

    *out = e;
    if (e != NULL) {
        e->is_done = true; /* As long as it was not recorded. */
        e->is_live = true;
        e->has_time = (flags & NO_TIMING_FLAG) == 0;
        e->context = fake.depth > 0 ? fake.contexts[fake.depth - 1] : NULL;
    }
    return fake_call_in_context("cuEventCreate", flags, 0);
}

int cuEventRecord(void *event, void *stream)
{
    struct event *e = event;
    int code = fake_call_in_context("cuEventRecord", (uintptr_t)stream, 0);
    void *of = stream == &other_stream ? &other_context : &context;

    if (code != SUCCESS || !e->is_live || e->context != of) {
        return code != SUCCESS ? code : INVALID_HANDLE;
    }
    e->is_done = fake_has_bug("event");
    return fake_add_work((struct work){.stream = stream, .event = e});
}

int cuEventQuery(void *event)
{
    int code = fake_call_unless_captured("cuEventQuery", 0, 0);

    if (code != SUCCESS) {
        return code;
    }
    if (((struct event *)event)->is_done) {
        return SUCCESS;
    }
    if (++fake.queries % QUERIES == 0) {
        fake_do(fake.work_count > 0 ? 1 : 0);
    }
    return NOT_READY;
}

int cuEventSynchronize(void *event)
{
    int code = fake_call_unless_captured("cuEventSynchronize", 0, 0);
    int count = 0;

    if (code != SUCCESS || fake_has_bug("event")) {
        return code;
    }
    for (int i = 0; i < fake.work_count; i++) {
        if (fake.work[i].event == event) {
            count = i + 1;
        }
    }
    fake_do(count);
    return SUCCESS;
}

int cuEventElapsedTime(float *out, void *from, void *to)
{
    const struct event *a = from;
    const struct event *b = to;

    if (!a->has_time || !b->has_time) {
        return INVALID_HANDLE;
    }
    *out = (float)(b->at_us - a->at_us) / 1000.0F;
    return a->is_done && b->is_done ? SUCCESS : NOT_READY;
}

int cuEventDestroy_v2(void *event)
{
    ((struct event *)event)->is_live = false;
    return SUCCESS;
}

int cuGetErrorName(int code, const char **out)
{
    static char text[64];

    snprintf(text, sizeof(text), "CUDA_ERROR_FAKE_%d", code);
    *out = text;
    return SUCCESS;
}
