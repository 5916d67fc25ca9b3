/** The little of `tape` that drachtio-srf's tests use: one test a file, assertions said as they come. */

/** @param finish called once, when the test has ended */
export function tapeStandIn(say, finish) {
  return (_name, run) => {
    let timer;
    const end = (error) => {
      clearTimeout(timer);
      if (error) say(false, error.message ?? error);
      finish();
    };
    run({
      timeoutAfter: (ms) => {
        timer = setTimeout(() => end(new Error(`nothing more came in ${ms} ms: the rest was not reached`)), ms);
      },
      pass: (what) => say(true, what),
      fail: (what) => say(false, what),
      ok: (value, what) => say(Boolean(value), what),
      throws: (act, ...rest) => say(isThrown(act), rest.at(-1)),
      doesNotThrow: (act, what) => say(!isThrown(act), what),
      error: (error) => {
        if (error) end(error);
      },
      end,
    });
  };
}

function isThrown(act) {
  try {
    act();
    return false;
  } catch {
    return true;
  }
}
