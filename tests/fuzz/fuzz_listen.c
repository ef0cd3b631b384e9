// The streams: the engine's events, or, with the word cluster in the configuration, the watches of
// a cluster. Whatever they bring only marks keys that there can be.
#include "lib/base/str.h"
#include "lib/world/name.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/script.h"

#include <string.h>

#define API_GROUPS                                                                                 \
    "200\n\n{\"groups\":[{\"versions\":[{\"groupVersion\":\"discovery.k8s.io/v1\"}]},"             \
    "{\"versions\":[{\"groupVersion\":\"networking.k8s.io/v1\"}]}]}"

static void on_dirty(void *ctx, const char *key)
{
    const struct play *play = ctx;
    MUST(play->ended == 0);
    MUST(str_equal(key, "engine") || str_equal(key, "cluster/" PLAY_CLUSTER) ||
         (str_starts_with(key, "node/") && world_name_is_valid(key + strlen("node/"))));
}

static void on_ended(void *ctx, const struct error *err)
{
    play_note_end(ctx, err);
}

static void listen_to(struct play *play, const char *key)
{
    struct error err = {0};
    play->ended = 0;
    int r = play->backend->ops->listen(play->backend, key, &play->input, on_dirty, on_ended, play,
                                       &err);
    MUST(r == 0);
    (void)fake_transport_run(play->fake);
    if (play->ended == 0) {
        play->backend->ops->unlisten(play->backend, key);
        (void)fake_transport_run(play->fake);
    }
    MUST(play->ended == 1);
    MUST(fake_transport_under_way(play->fake) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play play;
    if (!play_begin(&play, data, size)) {
        return 0;
    }
    if (play_says(&play, "cluster")) {
        play_meet_cluster(&play);
        script_answers(play.fake, API_GROUPS, strlen(API_GROUPS));
        (void)play_observe(&play, "cluster/" PLAY_CLUSTER);
        play_answers(&play);
        listen_to(&play, "cluster/" PLAY_CLUSTER);
    } else {
        play_meet_engine(&play);
        play_answers(&play);
        listen_to(&play, "engine");
    }
    play_end(&play);
    return 0;
}
