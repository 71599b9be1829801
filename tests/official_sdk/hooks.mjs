// Calls the React hooks as a page would: in a component that is rendered again for each change, by a renderer without a page.
const ignore = () => {};
// That much of a browser is looked for.
globalThis.window = globalThis;
globalThis.document = { hidden: false, visibilityState: "visible", addEventListener: ignore, removeEventListener: ignore };
globalThis.addEventListener = globalThis.removeEventListener = ignore;

const { createElement, useEffect } = await import("react");
const { create } = await import("react-test-renderer");
const hooks = await import("@trigger.dev/react-hooks");

// What a hook returned, time after time, until it is enough; `once` is called with the first of them after it is shown.
export async function watch({ url, key }, hook, isEnough, once = ignore) {
  const seen = [];
  let rendered;
  try {
    return await new Promise((resolve, reject) => {
      function Page() {
        const result = hook(hooks);
        seen.push(result);
        useEffect(() => { once(result); }, []);
        useEffect(() => {
          if (result.error) reject(result.error);
          else if (isEnough(result)) resolve(seen);
        });
        return null;
      }
      const { Provider } = hooks.TriggerAuthContext;
      const page = createElement(Provider, { value: { baseURL: url, accessToken: key } }, createElement(Page));
      // As `createRoot` renders: otherwise effects come late, and the hooks lose what arrives before them.
      rendered = create(page, { unstable_isConcurrent: true });
    });
  } finally {
    rendered.unmount();
  }
}
