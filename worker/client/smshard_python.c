/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client/smshard_python.h"

#include <stddef.h>

static struct smshard_python smshard_python;

void smshard_python_set(const struct smshard_python *python)
{
    smshard_python = *python;
}

static void python_aside(void (*call)(void *), void *argument)
{
    int state = smshard_python.ensure();
    void *error = NULL;
    void *value = NULL;
    void *trace = NULL;

    smshard_python.fetch(&error, &value, &trace);
    call(argument);
    smshard_python.restore(error, value, trace);
    smshard_python.release(state);
}

void smshard_python_delete_managed(void *managed)
{
    python_aside(smshard_python.delete_managed, managed);
}

void smshard_python_delete_versioned(void *managed)
{
    python_aside(smshard_python.delete_versioned, managed);
}

void smshard_python_forget(void *capsule)
{
    python_aside(smshard_python.forget, capsule);
}
