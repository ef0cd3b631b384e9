#include "lib/docker/docker_access.h"

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_BYTES_MAX (64u * 1024u) // of the user database
#define GROUPS_MAX 4096

int docker_access_refused(const struct docker_access *access, struct error *err)
{
    const char *user = access->user;
    _cleanup_free_ char *cure = NULL;
    if (access->owner == NULL || access->joined) {
        cure = str_dup("a directory on the way to it is closed to this user: open it, or set "
                       "docker.host");
    } else if (access->group == NULL) {
        cure = str_printf("it is %s's alone: run an engine as %s (rootless), or give the socket a "
                          "group that %s is in",
                          access->owner, user, user);
    } else if (access->member && !access->joined) {
        // The user's own systemd keeps the groups that it was started with; with linger it outlives
        // every logout.
        cure =
            str_printf("%s is in the group %s, this process is not, for it is of an older login: "
                       "`systemctl --user exit` (or `loginctl terminate-user %s`), then log in "
                       "again",
                       user, access->group, user);
    } else {
        cure = str_printf("%s is not in the group %s: `sudo usermod -aG %s %s`, then `loginctl "
                          "terminate-user %s` and log in again",
                          user, access->group, access->group, user, user);
    }
    return error_set(err, ERROR_TRANSIENT, EACCES, "no permission to use %s; %s", access->path,
                     cure);
}

// The groups are numbers, of this process or of the user.
static bool has(const gid_t *groups, int count, gid_t group)
{
    int i = 0;
    while (i < count && groups[i] != group) {
        i++;
    }
    return i < count;
}

// The caller frees both. What has no name is told by its number.

static char *user_name(uid_t id)
{
    _cleanup_free_ char *entry = xmalloc(ENTRY_BYTES_MAX);
    struct passwd user;
    struct passwd *found = NULL;
    (void)getpwuid_r(id, &user, entry, ENTRY_BYTES_MAX, &found);
    return found == NULL ? str_printf("%u", id) : str_dup(user.pw_name);
}

static char *group_name(gid_t id)
{
    _cleanup_free_ char *entry = xmalloc(ENTRY_BYTES_MAX);
    struct group group;
    struct group *found = NULL;
    (void)getgrgid_r(id, &group, entry, ENTRY_BYTES_MAX, &found);
    return found == NULL ? str_printf("%u", id) : str_dup(group.gr_name);
}

int docker_access(const char *path, struct error *err)
{
    struct stat st;
    gid_t groups[GROUPS_MAX];
    if (access(path, W_OK) == 0 || errno != EACCES) {
        return 0;
    }
    bool seen = stat(path, &st) == 0;
    bool shared = seen && (st.st_mode & S_IWGRP) != 0 && st.st_gid != 0; // nobody joins root's
    _cleanup_free_ char *user = user_name(getuid());
    _cleanup_free_ char *owner = seen ? user_name(st.st_uid) : NULL;
    _cleanup_free_ char *group = shared ? group_name(st.st_gid) : NULL;
    struct docker_access asked = {.path = path, .user = user, .owner = owner, .group = group};
    if (shared) {
        int count = getgroups(GROUPS_MAX, groups);
        asked.joined = getegid() == st.st_gid || has(groups, count, st.st_gid);
        count = GROUPS_MAX;
        (void)getgrouplist(user, getgid(), groups, &count);
        asked.member = has(groups, MIN(count, GROUPS_MAX), st.st_gid);
    }
    return docker_access_refused(&asked, err);
}
