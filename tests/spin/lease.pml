/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads and what is durable, for spin: lease object, terms, and a journal
 * whose objects are created only if absent.
 *
 * There is no clock: whoever does not lead may at any time hold the lease for
 * stale, so any number of hosts may believe that they lead. Every write is
 * under way for as long as it likes, also after its host has crashed, and its
 * answer may be lost: then the host reads what is there. A host that takes no
 * step is one that is paused.
 *
 * One position is to be worked on. GRANT gives it to a lease (the one before
 * is dropped), COMMIT says that the lease has done it, and the answer to that,
 * the acknowledgement, leaves once COMMIT is durable. The leader may write a
 * snapshot and then delete what it holds, but never a seal.
 *
 * Flags plant one mistake each: NO_CONDITION, NO_SEAL, NO_REREAD,
 * REREAD_WEAK, NO_TERM_CHECK, ACK_EARLY, SEALS_DELETED, SNAPSHOT_BLIND. REACH
 * asks whether the end can be reached: spin has to object. */

#ifndef HOSTS
#define HOSTS 3
#endif
#ifndef TERMS
#define TERMS 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef SNAPSHOTS
#define SNAPSHOTS 2
#endif
#ifndef LEASES
#define LEASES 2
#endif
#define NUMBERS 10 /* Seals, and again after a snapshot; grants; a commit. */
#define NOBODY 255

#define SEAL 16
#define GRANT 32
#define COMMIT 48
#define KIND(entry) ((entry) & 48)
#define VALUE(entry) ((entry) & 15)

/* The store. A lease's etag is its version; so is the snapshot's. */
byte lease_term;
byte lease_host = NOBODY;
byte journal[NUMBERS]; /* 0: no such object. */
byte writer[NUMBERS];
byte snap_last; /* It holds all up to this number, */
byte snap_live; /* the lease that has the position, or 0, */
byte snap_fin;  /* the lease that has done it, or 0, */
byte snap_next; /* and the last lease's number. */
byte snap_term; /* Who wrote it. */
byte snap_version;
byte snapshots;

/* What each host has under way, and the answers: 1 done, 2 refused. */
byte take_term[HOSTS]; /* The lease as it was read; NOBODY: nothing. */
byte take_answer[HOSTS];
byte put_entry[HOSTS]; /* 0: nothing. */
byte put_number[HOSTS];
byte put_answer[HOSTS];
bool copy_on_way[HOSTS]; /* Of a snapshot. */
byte copy_version[HOSTS];
byte copy_term[HOSTS];
byte copy_last[HOSTS];
byte copy_live[HOSTS];
byte copy_fin[HOSTS];
byte copy_next[HOSTS];
byte copy_answer[HOSTS];

/* What a host knows; global, since the promises speak of it. */
byte live[HOSTS];
byte fin[HOSTS];
byte next[HOSTS];

/* For the promises alone. */
byte term_owner[TERMS + 1] = NOBODY;
byte committer[NUMBERS] = NOBODY;
byte acked;          /* The lease that the position was acknowledged for. */
byte chief = NOBODY; /* Who opened the journal last by its seal's number, */
byte chief_number;   /* that, */
byte chief_fin;      /* and what it knew of the position. */
byte doomed = NOBODY; /* This host crashes now. */
bool is_cut; /* The last term's leader has crashed. */

inline acknowledge(me)
{
    assert(acked == 0 || acked == fin[me]);
    /* Who came later knows of it. */
    assert(chief == NOBODY || chief == me || chief_fin == fin[me]);
    acked = fin[me];
}

inline apply(me, entry)
{
    if
    :: KIND(entry) == GRANT ->
        live[me] = VALUE(entry);
        next[me] = VALUE(entry)
    :: KIND(entry) == COMMIT ->
        fin[me] = VALUE(entry);
        live[me] = 0
    :: else
    fi
}

inline send(me, what, where)
{
    put_entry[me] = what;
    put_number[me] = where;
    put_answer[me] = 0
}

/* The outcome of a create: an answer, or a look at what is there. One that is
 * not there is sent again. @is_ours: it is our own. */
inline settle(me, what, where, is_ours)
{
    do
    :: atomic {
        put_answer[me] != 0 ->
        is_ours = put_answer[me] == 1;
        put_answer[me] = 0;
        break
    }
    :: atomic {
        journal[where] != 0 && put_entry[me] == 0 ->
        is_ours = writer[where] == me;
        put_answer[me] = 0;
        break
    }
    :: atomic {
        journal[where] == 0 && put_entry[me] == 0 && put_answer[me] != 2 ->
        send(me, what, where)
    }
    od
}

inline take_snapshot(me)
{
    version = snap_version;
    last = snap_last;
    live[me] = snap_live;
    fin[me] = snap_fin;
    next[me] = snap_next;
    number = last + 1
}

inline forget(me)
{
    term = 0;
    version = 0;
    last = 0;
    number = 0;
    entry = 0;
    ours = false;
    live[me] = 0;
    fin[me] = 0;
    next[me] = 0
}

proctype host(byte me)
{
    byte term;
    byte version; /* Of the snapshot that it read or wrote. */
    byte last;    /* What that holds. */
    byte number;  /* Of the next journal object. */
    byte entry;
    byte k;
    bool ours;

    {
    skip;
follow:
    atomic {
        forget(me);
        if
        :: lease_term < TERMS && acked == 0 ->
            term = lease_term + 1;
            take_term[me] = lease_term;
            take_answer[me] = 0
        :: lease_term == TERMS || acked != 0 -> goto rest
        fi
    }
    /* The answer, or a look at the lease, tells. */
    if
    :: atomic { take_answer[me] == 1 -> take_answer[me] = 0 }
    :: atomic { take_answer[me] == 2 -> take_answer[me] = 0; goto follow }
    :: atomic {
        lease_term >= term ->
        take_answer[me] = 0;
        take_term[me] = NOBODY;
        if
        :: lease_term == term && lease_host == me
        :: else -> goto follow
        fi
    }
    fi;
    atomic {
        assert(term_owner[term] == NOBODY);
        term_owner[term] = me
    }

recover:
    atomic {
#ifndef NO_TERM_CHECK
        if
        :: snap_term > term -> goto follow
        :: else
        fi;
#endif
        take_snapshot(me)
    }
look:
    atomic {
        entry = journal[number];
        if
        :: entry != 0 ->
#ifndef NO_TERM_CHECK
            if
            :: KIND(entry) == SEAL && VALUE(entry) > term -> goto follow
            :: else
            fi;
#endif
            apply(me, entry);
            number++;
            goto look
        :: else ->
#ifdef NO_SEAL
            goto opened
#else
            send(me, SEAL + term, number)
#endif
        fi
    }
    settle(me, SEAL + term, number, ours);
    if
    :: !ours -> goto look
    :: ours
    fi;
#ifndef NO_REREAD
    atomic {
        if
#ifdef REREAD_WEAK
        :: snap_last >= number -> goto recover
#else
        /* What was read may have been seals of who began anew, where records
         * had been that are now in the snapshot alone. */
        :: snap_last > last -> goto recover
#endif
        :: else -> version = snap_version
        fi
    }
#endif
    atomic {
        assert(committer[number] == NOBODY);
        committer[number] = me;
        /* Terms grow along the journal. Below the snapshot there may be
         * seals of who had read an older one, and began anew. */
        k = (last > snap_last -> last : snap_last) + 1;
        do
        :: k < number ->
            assert(KIND(journal[k]) != SEAL || VALUE(journal[k]) <= term);
            k++
        :: else -> break
        od;
        k = 0
    }
#ifdef NO_SEAL
opened:
#endif
    atomic {
        /* What was acknowledged is known to who leads now. */
        assert(acked == 0 || fin[me] == acked ||
               (chief != NOBODY && chief_number > number));
        if
        :: number >= chief_number ->
            chief = me;
            chief_number = number;
            chief_fin = fin[me]
        :: else
        fi;
#ifndef NO_SEAL
        number++
#endif
    }

lead:
    atomic {
        if
        :: fin[me] != 0 -> /* Also one that its predecessor did not say. */
            acknowledge(me);
            goto rest
        :: fin[me] == 0 && next[me] < LEASES ->
            entry = GRANT + next[me] + 1
        :: fin[me] == 0 && live[me] != 0 ->
            entry = COMMIT + live[me];
#ifdef ACK_EARLY
            fin[me] = live[me];
            acknowledge(me)
#endif
        :: snapshots < SNAPSHOTS && number > last + 1 -> goto snapshot
        fi;
        send(me, entry, number)
    }
    settle(me, entry, number, ours);
    atomic {
        if
        :: !ours -> goto follow /* Fenced. */
        :: ours
        fi;
        assert(committer[number] == NOBODY || committer[number] == me);
        committer[number] = me;
        apply(me, entry);
        if
        :: KIND(entry) == COMMIT ->
            chief_fin = (chief == me -> fin[me] : chief_fin);
            acknowledge(me)
        :: else
        fi;
        number++
    }
    goto lead;

snapshot:
    atomic {
        snapshots++;
        copy_on_way[me] = true;
        copy_version[me] = version;
        copy_term[me] = term;
        copy_last[me] = number - 1;
        copy_live[me] = live[me];
        copy_fin[me] = fin[me];
        copy_next[me] = next[me];
        copy_answer[me] = 0
    }
    atomic {
        copy_answer[me] != 0 ->
        /* Refused: by the late copy of one before it, which is no reason to
         * stop, or by one after it. */
        if
        :: copy_answer[me] == 1 -> version++; last = number - 1
        :: copy_answer[me] == 2 && snap_last < number ->
            version = snap_version;
            last = snap_last
        :: copy_answer[me] == 2 && snap_last >= number -> goto follow
        fi;
        copy_answer[me] = 0
    }
    atomic {
        k = 1;
        do
        :: k <= last ->
            if
#ifndef SEALS_DELETED
            :: KIND(journal[k]) == SEAL
#endif
            :: else -> journal[k] = 0; writer[k] = 0
            fi;
            k++
        :: else -> break
        od;
        k = 0
    }
    goto lead
    }
    unless {
        atomic {
            doomed == me ->
            doomed = NOBODY;
            is_cut = is_cut || term == TERMS || lease_term == TERMS;
            forget(me)
        }
    }
rest:
    skip
}

inline land_take(h)
{
    if
#ifndef NO_CONDITION
    :: lease_term != take_term[h] -> take_answer[h] = 2
#endif
    :: else ->
        lease_term = take_term[h] + 1;
        lease_host = h;
        take_answer[h] = 1
    fi;
    take_term[h] = NOBODY
}

inline land_put(h)
{
    if
    :: journal[put_number[h]] != 0 -> put_answer[h] = 2
    :: else ->
        journal[put_number[h]] = put_entry[h];
        writer[put_number[h]] = h;
        put_answer[h] = 1
    fi;
    put_entry[h] = 0;
    put_number[h] = 0
}

inline land_copy(h)
{
    if
#ifndef SNAPSHOT_BLIND
    :: snap_version != copy_version[h] -> copy_answer[h] = 2
#endif
    :: else ->
        snap_version++;
        snap_term = copy_term[h];
        snap_last = copy_last[h];
        snap_live = copy_live[h];
        snap_fin = copy_fin[h];
        snap_next = copy_next[h];
        copy_answer[h] = 1
    fi;
    copy_on_way[h] = false;
    copy_version[h] = 0;
    copy_term[h] = 0;
    copy_last[h] = 0;
    copy_live[h] = 0;
    copy_fin[h] = 0;
    copy_next[h] = 0
}

/* Writes land in any order, at any time. */
proctype way(byte h)
{
end:
    do
    :: atomic { take_term[h] != NOBODY -> land_take(h) }
    :: atomic { put_entry[h] != 0 -> land_put(h) }
    :: atomic { copy_on_way[h] -> land_copy(h) }
    od
}

/* Chance. Escapes in spin come first, so they need a moment of their own. */
proctype fate()
{
    byte crashes;

end:
    do
    :: atomic { crashes < CRASHES && doomed == NOBODY ->
        crashes++;
        if
        :: doomed = 0
        :: doomed = 1
#if HOSTS > 2
        :: doomed = 2
#endif
        fi }
    od
}

init
{
    byte h;

    atomic {
        do
        :: h < HOSTS ->
            take_term[h] = NOBODY;
            run host(h);
            run way(h);
            h++
        :: else -> break
        od;
        h = 0;
        run fate()
    }
    /* All has come to rest: the work is done, unless the last leader that
     * the model allows for has crashed. */
    timeout ->
#ifdef REACH
    assert(acked == 0)
#else
    assert(acked != 0 || is_cut)
#endif
}
