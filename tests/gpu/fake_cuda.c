/* SPDX-License-Identifier: Apache-2.0 */
/* A CUDA driver that has no GPU: it keeps the rules of registered memory,
 * contexts, streams and events that matter to a ring, records calls, and fails
 * where it is told to. Built as libcuda.so.1 by tests/integration/
 * test_python.sh.
 *
 * The "device" works when it is let: what was put on a stream is done by
 * fake_run(), by the synchronizing calls, or at once where FAKE_CUDA_EAGER is
 * set; and copies read the host's memory only then, as a real one may. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NO_CONTEXT = 201,
    ALREADY_REGISTERED = 712,
    NOT_REGISTERED = 713,
    NOT_SUPPORTED = 801,
    NOT_READY = 600,

    READ_ONLY_FLAG = 8,
    READ_ONLY_ATTRIBUTE = 113,
    LOG_MAX = 1 << 16,
    RANGES_MAX = 64,
    WORK_MAX = 4096,
    DEPTH_MAX = 16,
};

#define REGISTER_MAX ((size_t)1 << 39)

struct event {
    bool is_done;
    bool is_live;
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
    int depth; /* Of the stack of contexts. */
    struct {
        const char *at;
        size_t size;
    } ranges[RANGES_MAX];
    int range_count;
    struct work work[WORK_MAX];
    int work_count;
    uint64_t clock_us;
} fake = {.has_read_only = 1};

static int context;

/* ---- For the tests. --------------------------------------------------------
 */

void fake_reset(void);
void fake_fail(const char *name, int at, int code);
void fake_set_read_only(int has);
const char *fake_log(void);
int fake_registered(void);
int fake_pending(void);
void fake_run(void);

void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.has_read_only = 1;
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
    return fake.range_count;
}

int fake_pending(void)
{
    return fake.work_count;
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
            memcpy(w->to, w->from, w->size);
            fake.clock_us += 1 + w->size / 50000; /* 50 GB/s */
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
    return fake.depth == 0 ? NO_CONTEXT : SUCCESS;
}

static int fake_add_work(struct work work)
{
    if (fake.work_count == WORK_MAX) {
        return OUT_OF_MEMORY;
    }
    fake.work[fake.work_count++] = work;
    if (getenv("FAKE_CUDA_EAGER") != NULL) {
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
int cuDevicePrimaryCtxRetain(void **out, int device);
int cuCtxPushCurrent_v2(void *ctx);
int cuCtxPopCurrent_v2(void **out);
int cuCtxSynchronize(void);
int cuMemHostRegister_v2(void *at, size_t size, unsigned flags);
int cuMemHostUnregister(void *at);
int cuMemHostAlloc(void **out, size_t size, unsigned flags);
int cuMemFreeHost(void *at);
int cuMemAlloc_v2(uint64_t *out, size_t size);
int cuMemFree_v2(uint64_t at);
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size,
                         void *stream);
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t size);
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

int cuInit(unsigned flags)
{
    return fake_call("cuInit", flags, 0);
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

int cuCtxPushCurrent_v2(void *ctx)
{
    if (ctx != &context || fake.depth == DEPTH_MAX) {
        return INVALID_VALUE;
    }
    fake.depth++;
    return SUCCESS;
}

int cuCtxPopCurrent_v2(void **out)
{
    *out = &context;
    return fake.depth-- > 0 ? SUCCESS : NO_CONTEXT;
}

int cuCtxSynchronize(void)
{
    fake_run();
    return fake_in_context();
}

int cuMemHostRegister_v2(void *at, size_t size, unsigned flags)
{
    const char *p = at;
    int code = fake_call_in_context("cuMemHostRegister_v2", size, flags);

    if (code != SUCCESS) {
        return code;
    }
    if (size == 0 || size >= REGISTER_MAX || fake.range_count == RANGES_MAX) {
        return OUT_OF_MEMORY;
    }
    if ((flags & READ_ONLY_FLAG) != 0 && fake.has_read_only == 0) {
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
    fake.ranges[fake.range_count].at = p;
    fake.ranges[fake.range_count++].size = size;
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
    (void)flags;
    *out = malloc(size);
    return *out != NULL ? fake_in_context() : OUT_OF_MEMORY;
}

int cuMemFreeHost(void *at)
{
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
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size,
                         void *stream)
{
    const char *p = from;
    int code = fake_call_in_context("cuMemcpyHtoDAsync_v2", size, 0);

    for (int i = 0; code == SUCCESS && i < fake.range_count; i++) {
        const char *end = fake.ranges[i].at + fake.ranges[i].size;

        if (p >= fake.ranges[i].at && p < end) {
            return p + size > end
                       ? INVALID_VALUE /* Two registrations: the driver's. */
                       : fake_add_work((struct work){
                             stream, (void *)(uintptr_t)to, from, size, NULL});
        }
    }
    if (code == SUCCESS) {
        fake_run();
        memcpy((void *)(uintptr_t)to, from, size);
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
        e->is_live = true;
    }
    return fake_call_in_context("cuEventCreate", flags, 0);
}

int cuEventRecord(void *event, void *stream)
{
    struct event *e = event;
    int code = fake_call_in_context("cuEventRecord", (uintptr_t)stream, 0);

    if (code != SUCCESS || !e->is_live) {
        return code != SUCCESS ? code : INVALID_VALUE;
    }
    e->is_done = false;
    return fake_add_work((struct work){.stream = stream, .event = e});
}

int cuEventQuery(void *event)
{
    int code = fake_call_in_context("cuEventQuery", 0, 0);

    if (code != SUCCESS) {
        return code;
    }
    return ((struct event *)event)->is_done ? SUCCESS : NOT_READY;
}

int cuEventSynchronize(void *event)
{
    int code = fake_call_in_context("cuEventSynchronize", 0, 0);
    int count = 0;

    if (code != SUCCESS) {
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
