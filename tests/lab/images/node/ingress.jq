# What the ingress serves, of the lists of objects that the API server gave: {conf, patches}, an nginx
# configuration and the statuses that are to be written. Fails where a list did not come.

def items: .[0].items[];

# A Service's port, by number or name; null if there is none.
def port($namespace; $name; $port):
  [ $services | items | select(.metadata.namespace == $namespace and .metadata.name == $name)
    | .spec.ports[]? | select(.port == $port or .name == $port) ][0];

# Where requests for a port of a Service go; $missing is the answer if there is no such port.
def target($namespace; $name; $port; $missing):
  port($namespace; $name; $port) as $found
  | [ $slices | items
      | select(.metadata.namespace == $namespace and .metadata.labels["kubernetes.io/service-name"] == $name)
      | . as $slice | .ports[]? | select((.name // "") == ($found.name // "")).port as $number
      | $slice.endpoints[]? | select(.conditions.ready != false).addresses[] | "\(.):\($number)" ] as $addresses
  | if $found == null then "return \($missing);"
    elif $addresses == [] then "return 503;"
    else "proxy_pass http://\($addresses | sort[0]);" end;

# The nginx locations that match what a path of this type matches: a prefix is one of whole path elements.
def locations($type):
  if $type == "Exact" then "= \"\(.)\""
  elif ($type == "Prefix" or $type == "PathPrefix") and . != "/" then
    sub("/+$"; "") | "= \"\(.)\"", "\"\(.)/\""
  else "\"\(.)\"" end;

# The request that writes this into an object's status, if it is not there.
def status_patch($kinds; $status):
  select((.status // {}) + $status != (.status // {}))
  | { path: ("/apis/\($kinds[0])/v1/" + if .metadata.namespace then "namespaces/\(.metadata.namespace)/" else "" end
             + "\($kinds[1])/\(.metadata.name)/status"),
      body: {$status} };

# ---- Ingresses of class nginx, by the rules of the controller of that name

def class_nginx: $ingresses | items | select(.spec.ingressClassName == "nginx");

def ingress_locations:
  class_nginx | .metadata.namespace as $namespace | (.metadata.annotations // {}) as $annotations
  | def note($key; $default): $annotations["nginx.ingress.kubernetes.io/" + $key] // $default;
    .spec.rules[]? | (.host // "") as $host | .http.paths[]?
  | (.path // "/") as $path | .pathType as $type | .backend.service as $service
  | note("rewrite-target"; null) as $rewrite
  | { host: $host, length: ($path | length),
      match: (if $rewrite != null or note("use-regex"; "") == "true" then "~* \"^\($path)\""
              else $path | locations($type) end),
      options: ("client_max_body_size \(note("proxy-body-size"; "1m"));"
                + " proxy_request_buffering \(note("proxy-request-buffering"; "on"));"
                + " proxy_read_timeout \(note("proxy-read-timeout"; "60"))s;"
                + if $rewrite == null then "" else " rewrite \"(?i)\($path)\" \($rewrite) break;" end),
      to: target($namespace; $service.name; ($service.port.number // $service.port.name); 503) };

def ingress_patches:
  class_nginx
  | status_patch(["networking.k8s.io", "ingresses"]; {loadBalancer: {ingress: [{hostname: "localhost"}]}});

# ---- HTTPRoutes that are attached to a Gateway of this controller's class

def controller: "lab.test/gateway";
def our_classes: $classes | items | select(.spec.controllerName == controller);
def our_gateways: [our_classes.metadata.name] as $names
  | $gateways | items | select(.spec.gatewayClassName as $name | $names | index($name));

# The conditions as a controller writes them; one whose status stays keeps its time.
def written($old; $generation):
  map(. as $new | [$old[]? | select(.type == $new.type and .status == $new.status)][0] as $same
    | . + {observedGeneration: $generation, lastTransitionTime: ($same.lastTransitionTime // (now | todate))});
def condition($type; $status; $reason; $message): {$type, $status, $reason, $message};

def accepted($gateway; $parent): # of a route
  def no($reason; $message): condition("Accepted"; "False"; $reason; $message);
  .metadata.namespace as $namespace
  | [ $gateway.spec.listeners[]? | select($parent.sectionName == null or $parent.sectionName == .name) ] as $listeners
  | [ $listeners[] | .allowedRoutes.namespaces.from // "Same"
      | select(. == "All" or (. == "Same" and $namespace == $gateway.metadata.namespace)) ] as $allowed
  | if $listeners == [] then no("NoMatchingParent"; "no listener \($parent.sectionName)")
    elif $allowed == [] then no("NotAllowedByListeners"; "no listener allows routes of namespace \($namespace)")
    elif any(.spec.rules[]?; .filters // [] != []) then no("UnsupportedValue"; "filters are not supported")
    else condition("Accepted"; "True"; "Accepted"; "route is accepted") end;

def resolved: # of a route
  .metadata.namespace as $namespace
  | [ .spec.rules[]?.backendRefs[]? | select(port($namespace; .name; .port) == null) ][0] as $missing
  | if $missing == null then condition("ResolvedRefs"; "True"; "ResolvedRefs"; "all references are resolved")
    else condition("ResolvedRefs"; "False"; "BackendNotFound";
                   "Service \($namespace)/\($missing.name) has no port \($missing.port), or is not there") end;

def our_parents: # of a route: its entries of status.parents
  . as $route | .spec.parentRefs[]? as $parent
  | our_gateways | select(.metadata.name == $parent.name
                          and .metadata.namespace == ($parent.namespace // $route.metadata.namespace))
  | . as $gateway
  | [ $route.status.parents[]? | select(.controllerName == controller and .parentRef == $parent) ][0] as $old
  | { parentRef: $parent, controllerName: controller,
      conditions: ($route | [accepted($gateway; $parent), resolved]
                   | written($old.conditions; $route.metadata.generation)) };

def route_locations:
  $routes | items | select(any(our_parents.conditions[]; .type == "Accepted" and .status == "True"))
  | .metadata.namespace as $namespace | (.spec.hostnames // [""])[] as $host
  | .spec.rules[]? | .backendRefs[0] as $backend | .matches[].path as $path
  | { host: $host, length: ($path.value | length), match: ($path.value | locations($path.type)),
      options: "client_max_body_size 0; proxy_request_buffering off; proxy_read_timeout 3600s;",
      to: target($namespace; $backend.name; $backend.port; 500) };

def gateway_patches:
  def kinds($plural): ["gateway.networking.k8s.io", $plural];
  def true_ones($types):
    .status.conditions as $old | .metadata.generation as $generation
    | [$types[] | condition(.; "True"; .; "served by the lab's ingress")] | written($old; $generation);
  (our_classes | status_patch(kinds("gatewayclasses"); {conditions: true_ones(["Accepted"])})),
  (our_gateways | status_patch(kinds("gateways"); {addresses: [{type: "Hostname", value: "localhost"}],
                                                   conditions: true_ones(["Accepted", "Programmed"])})),
  ($routes | items | [our_parents] as $ours | [.status.parents[]? | select(.controllerName != controller)] as $others
    | select($ours != [] or .status.parents != null) | status_patch(kinds("httproutes"); {parents: ($others + $ours)}));

# ---- nginx

# An Ingress and a route, or two of them, may ask for the same: the first is served.
def server($host; $locations):
  "server { listen 80\(if $host == "" then " default_server" else "" end); server_name \(if $host == "" then "_" else $host end);",
  ($locations | unique_by(.match) | sort_by(-.length)[] | "location \(.match) { \(.options) \(.to) }"),
  if any($locations[]; .match == "\"/\"") then empty else "location / { return 404; }" end,
  "}";

def conf:
  [ingress_locations, route_locations] as $all
  | [ "worker_processes 1; pid /run/ingress.pid; error_log /var/log/lab/ingress-error.log; events {}",
      "http { access_log /var/log/lab/ingress-access.log; map_hash_bucket_size 128; proxy_http_version 1.1;",
      "proxy_set_header Host $http_host; proxy_set_header X-Real-IP $remote_addr;",
      "proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;",
      ([""] + [$all[].host] | unique[] | . as $host | server($host; [$all[] | select(.host == $host)])),
      "}" ]
  | join("\n") + "\n";

{conf: conf, patches: [ingress_patches, gateway_patches]}
