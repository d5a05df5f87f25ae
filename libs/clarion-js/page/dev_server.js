// The gateway's routes for trying things, which only exist when it runs in dev. Paths are relative to the page: a proxy
// may have it below a prefix.

/**
 * The config, or null in production.
 *
 * @returns {Promise<{ dev: boolean, users: string[] } | null>}
 */
export async function devConfig() {
  const answer = await fetch("dev/config");
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`dev/config answered ${answer.status}: reload the page`);
  return answer.json();
}

/**
 * @param {string} user
 * @returns {Promise<string>}
 */
export async function devToken(user) {
  return (await (await post("dev/token", { user })).json()).token;
}

/** @param {string} recipient */
export async function devSend(recipient) {
  await post("dev/send", { recipient });
}

/**
 * @param {string} path
 * @param {object} body
 */
async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ title: `${path} answered ${answer.status}` }));
  throw new Error([problem.title, problem.detail].filter(Boolean).join(": "));
}
