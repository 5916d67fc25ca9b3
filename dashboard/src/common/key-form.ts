/**
 * The form that takes an API key, and "forget". The key lives in this tab's sessionStorage and nowhere else; a browser that refuses storage keeps it until
 * the page is left.
 */
import { byId } from "./element.js";

const ITEM = "ringmatch_api_key";

export interface KeyForm {
  key(): string | null;
}

/** Expects #key-form with #key, #key-known and #key-forget in the page. @param onChange told of a new key, and of none */
export function useKeyForm(onChange: (key: string | null) => void): KeyForm {
  const form = byId<HTMLFormElement>("key-form");
  const input = byId<HTMLInputElement>("key");
  const known = byId("key-known");
  let key = stored();
  const show = (): void => {
    form.hidden = key !== null;
    known.hidden = key === null;
  };
  const set = (next: string | null): void => {
    key = next;
    store(next);
    show();
    onChange(next);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    input.value = "";
    if (text !== "") set(text);
  });
  byId("key-forget").addEventListener("click", () => {
    set(null);
    input.focus();
  });
  show();
  return { key: () => key };
}

function stored(): string | null {
  try {
    return sessionStorage.getItem(ITEM);
  } catch (error) {
    void error;
    return null;
  }
}

function store(key: string | null): void {
  try {
    if (key === null) sessionStorage.removeItem(ITEM);
    else sessionStorage.setItem(ITEM, key);
  } catch (error) {
    // Storage is refused: the variable holds it.
    void error;
  }
}
