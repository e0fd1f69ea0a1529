/* SPDX-License-Identifier: Apache-2.0 */
/* What the Python package can't do by itself: be called back while an
 * exception is being raised, as when a tensor goes with the frame that failed.
 * These put it aside meanwhile. Python's own functions are given by address;
 * the library is linked to nothing of it. For the package alone: what is here
 * may change with it.
 *
 * Threads: set once before anything else; the rest any. */

#ifndef SMSHARD_PYTHON_H
#define SMSHARD_PYTHON_H

struct smshard_python {
    int (*ensure)(void);        /* PyGILState_Ensure */
    void (*release)(int state); /* PyGILState_Release */
    void (*fetch)(void **error, void **value, void **trace); /* PyErr_Fetch */
    void (*restore)(void *error, void *value, void *trace);  /* and _Restore */
    void (*delete_managed)(void *managed);
    void (*delete_versioned)(void *managed);
    void (*forget)(void *capsule);
};

void smshard_python_set(const struct smshard_python *python);

/* Two deleters of DLPack and a destructor of capsules, around those above. */
void smshard_python_delete_managed(void *managed);
void smshard_python_delete_versioned(void *managed);
void smshard_python_forget(void *capsule);

#endif /* SMSHARD_PYTHON_H */
