/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/env_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

struct env_entry {
    char *line;
    size_t name_size;
};

struct env_list {
    struct env_entry *entries; /* Sorted by name. */
    size_t count;
    size_t room;
    char **envp; /* What env_list_envp() gave out last. */
};

struct env_list *env_list_new(void)
{
    return mem_new(1, sizeof(struct env_list));
}

void env_list_destroy(struct env_list **list)
{
    if (*list == NULL) {
        return;
    }
    for (size_t i = 0; i < (*list)->count; i++) {
        free((*list)->entries[i].line);
    }
    free((*list)->entries);
    free((*list)->envp);
    free(*list);
    *list = NULL;
}

static struct bytes env_list_name(const struct env_entry *e)
{
    return (struct bytes){e->line, e->name_size};
}

/* The place of @name, or where it would be. */
static size_t env_list_find(const struct env_list *list, struct bytes name,
                            bool *is_there)
{
    size_t low = 0;
    size_t high = list->count;

    *is_there = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = bytes_compare(env_list_name(&list->entries[mid]), name);

        if (order == 0) {
            *is_there = true;
            return mid;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void env_list_insert(struct env_list *list, size_t at)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 64 : list->room * 2;
        list->entries =
            mem_grow(list->entries, list->room, sizeof(*list->entries));
    }
    memmove(list->entries + at + 1, list->entries + at,
            (list->count - at) * sizeof(*list->entries));
    list->entries[at] = (struct env_entry){0};
    list->count++;
}

static void env_list_put(struct env_list *list, struct bytes name,
                         struct bytes value)
{
    bool is_there;
    size_t at = env_list_find(list, name, &is_there);
    char *line = mem_new(name.size + value.size + 2, 1);

    memcpy(line, name.at, name.size);
    line[name.size] = '=';
    if (value.size > 0) {
        memcpy(line + name.size + 1, value.at, value.size);
    }
    if (!is_there) {
        env_list_insert(list, at);
    }
    free(list->entries[at].line);
    list->entries[at] = (struct env_entry){line, name.size};
}

static bool env_list_has_byte(struct bytes text, char c)
{
    return text.size > 0 && memchr(text.at, c, text.size) != NULL;
}

enum status env_list_set(struct env_list *list, struct bytes name,
                         struct bytes value, struct fault *why)
{
    int size = name.size > 200 ? 200 : (int)name.size;

    if (name.size == 0) {
        return fault_set(why, STATUS_INVALID, "a variable has no name");
    }
    if (env_list_has_byte(name, '=') || env_list_has_byte(name, '\0')) {
        return fault_set(why, STATUS_INVALID,
                         "%.*s: a variable's name can not hold '=' or NUL",
                         size, name.at);
    }
    if (env_list_has_byte(value, '\0')) {
        return fault_set(why, STATUS_INVALID,
                         "%.*s: a variable can not hold a NUL byte", size,
                         name.at);
    }
    env_list_put(list, name, value);
    return STATUS_OK;
}

void env_list_remove(struct env_list *list, const char *name)
{
    bool is_there;
    size_t at = env_list_find(list, bytes_of(name), &is_there);

    if (is_there) {
        free(list->entries[at].line);
        list->count--;
        memmove(list->entries + at, list->entries + at + 1,
                (list->count - at) * sizeof(*list->entries));
    }
}

void env_list_add(struct env_list *list, const struct env_list *from)
{
    CHECK(list != from);
    for (size_t i = 0; i < from->count; i++) {
        const struct env_entry *e = &from->entries[i];

        env_list_put(list, env_list_name(e),
                     bytes_of(e->line + e->name_size + 1));
    }
}

void env_list_add_envp(struct env_list *list, char *const *envp)
{
    struct env_list *seen = env_list_new();

    for (; *envp != NULL; envp++) {
        const char *equals = strchr(*envp, '=');
        struct bytes name = {*envp, 0};
        bool is_there;

        name.size = equals != NULL ? (size_t)(equals - *envp) : 0;
        (void)env_list_find(seen, name, &is_there);
        if (name.size > 0 && !is_there) {
            env_list_put(seen, name, bytes_of(equals + 1));
        }
    }
    env_list_add(list, seen);
    env_list_destroy(&seen);
}

const char *env_list_get(const struct env_list *list, const char *name)
{
    bool is_there;
    size_t at = env_list_find(list, bytes_of(name), &is_there);

    if (!is_there) {
        return NULL;
    }
    return list->entries[at].line + list->entries[at].name_size + 1;
}

size_t env_list_count(const struct env_list *list)
{
    return list->count;
}

const char *env_list_line(const struct env_list *list, size_t i)
{
    CHECK(i < list->count);
    return list->entries[i].line;
}

char **env_list_envp(struct env_list *list)
{
    list->envp = mem_grow(list->envp, list->count + 1, sizeof(*list->envp));
    for (size_t i = 0; i < list->count; i++) {
        list->envp[i] = list->entries[i].line;
    }
    list->envp[list->count] = NULL;
    return list->envp;
}
