/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/run.h"

static void run_add_tree(struct run *r, char *path, char *uri)
{
    CHECK(r->save_count < SAVE_TREES_MAX);
    r->save_texts[2 * r->save_count] = path;
    r->save_texts[2 * r->save_count + 1] = uri;
    r->save_trees[r->save_count++] = (struct save_tree){path, uri};
}

enum status run_save_start(struct run *r, struct fault *why)
{
    const struct contract *c = &r->contract;
    enum status s;
    char *notes;

    CHECK(r->save_count == 0);
    if (r->output_uri != NULL) {
        run_add_tree(r, mem_copy(c->model),
                     mem_print("%smodel/", r->output_uri));
        run_add_tree(r, mem_print("%s/data", c->output),
                     mem_print("%sdata/", r->output_uri));
        run_add_tree(r, mem_print("%s/failure", c->output),
                     mem_print("%sfailure", r->output_uri));
    }
    if (r->checkpoint_uri != NULL && c->checkpoints != NULL) {
        run_add_tree(r, mem_copy(c->checkpoints), mem_copy(r->checkpoint_uri));
    }
    notes = mem_print("%s/.smshard/uploads/%s", c->data,
                      c->hosts.names[c->hosts.current]);
    s = save_start(r->save_trees, r->save_count, notes, why, &r->save);
    free(notes);
    return s;
}

void run_save_fini(struct run *r)
{
    for (uint32_t i = 0; i < 2 * r->save_count; i++) {
        free(r->save_texts[i]);
    }
    r->save_count = 0;
}
