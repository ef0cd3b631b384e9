"""The events of a fake engine, in the words of its accent."""

import collections
import json

from fakes.message import Response, Stream, Timers

EVENTS_MAX = 256  # that a late listener still gets, as in the real one


class Events(Timers):
    def __init__(self, clock):
        super().__init__(clock)
        self.events = collections.deque(maxlen=EVENTS_MAX)
        self.streams = []  # about the types of events that each wants

    def _tell(self, kind, action, identifier, attributes, container=None):
        now = self.clock()
        actor = {"ID": identifier, "Attributes": attributes}
        event = {"Type": kind, "Action": action, "Actor": actor, "scope": "local"}
        event = self.accent.event(event | {"time": int(now), "timeNano": int(now * 1e9)}, container)
        if event is not None:
            self.events.append(event)
            for stream in self.streams:
                if event["Type"] in stream.about:
                    stream.send(event)

    def tell_of(self, container, action, **attributes):
        attributes = {"image": container.spec["Image"], "name": container.name} | container.labels | attributes
        self._tell("container", action, container.id, attributes, container)

    def tell_of_network(self, action, name, container=None):
        attributes = {"name": name, "type": "bridge"} | ({"container": container.id} if container else {})
        self._tell("network", action, self.networks.get(name, ""), attributes, container)

    def end_streams(self):
        streams, self.streams = self.streams, []
        for stream in streams:
            stream.put(None)

    def follow(self, request):
        kinds = json.loads(request.query.get("filters", "{}")).get("type", ["container", "network", "image"])
        stream = Stream(kinds)
        self.streams.append(stream)
        since = float(request.query.get("since", self.clock() + 1))
        for event in self.events:
            if event["Type"] in kinds and event["time"] >= since:
                stream.send(event)
        return Response(200, headers={"Content-Type": "application/json"}, chunks=stream)
