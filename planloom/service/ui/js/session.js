/** The key of whoever sits here. It lives as long as the tab, and goes nowhere but into the Authorization header. */
export class Session {
  #name = "planloom-key";

  /** @returns {string} empty when there is none */
  get key() {
    return sessionStorage.getItem(this.#name) ?? "";
  }

  set key(key) {
    if (key) sessionStorage.setItem(this.#name, key);
    else sessionStorage.removeItem(this.#name);
  }
}
