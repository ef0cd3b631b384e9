// Stand-in for joxit/docker-registry-ui: what it asks of the registry, with its Accept headers, and what it says
// when an answer does not come. Lists repositories, tags, and each tag's size and date.
const { version, url, limit } = document.body.dataset;
const registry = (url || location.origin + location.pathname).replace(/\/+$/, "");
const LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const IMAGES = ["application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json"];
const is1 = version.startsWith("1.");
// 1.5.4 asks a tag for an image alone, 2.6.0 for an index as well
const accept = (isTag) => (is1 ? IMAGES : isTag ? [...IMAGES, INDEX, LIST] : [...IMAGES, INDEX]).join(", ");

async function ask(path, notFound, headers = {}) {
    const answer = await fetch(`${registry}/v2/${path}`, { headers });
    if (answer.ok) return answer.json();
    throw new Error(answer.status === 404 ? notFound : await answer.text());
}

async function describe(name, reference, isTag = true) {
    const manifest = await ask(`${name}/manifests/${reference}`, `Manifest for ${name}:${reference} not found`,
        { Accept: accept(isTag) });
    if (manifest.manifests) return describe(name, manifest.manifests[0].digest, false);
    const config = await ask(`${name}/blobs/${manifest.config.digest}`, `Blobs for ${name}:${reference} not found`);
    const bytes = manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
    return `${(bytes / 1e6).toFixed(2)} MB, ${config.created}`;
}

function add(parent, text) {
    const item = parent.appendChild(document.createElement("li"));
    item.textContent = text;
    return item;
}

async function show() {
    const { repositories } = await ask(`_catalog?n=${limit}`, "Server not found");
    for (const name of repositories) {
        const { tags } = await ask(`${name}/tags/list`, "Server not found");
        const list = add(catalog, `${name}: ${(tags || []).join(", ")}`).appendChild(document.createElement("ul"));
        for (const tag of tags || []) {
            add(list, `${tag}: ${await describe(name, tag).catch((error) => error.message)}`);
        }
    }
    state.textContent = `${repositories.length} repositories`;
}

const catalog = document.getElementById("catalog"), state = document.getElementById("state");
show().catch((error) => { state.textContent = `error: ${error.message}`; });
