/** Answers in the order of their questions: one that comes after the answer to a later question is not shown. */
export class Turns {
  #asked = 0;
  #told = 0;

  /**
   * @template T
   * @param {Promise<T>} answer
   * @param {(found: T) => void} show
   * @throws what the answer does, unless it comes too late
   */
  async show(answer, show) {
    const number = ++this.#asked;
    let found;
    try {
      found = await answer;
    } catch (error) {
      if (this.#isTold(number)) throw error;
      return;
    }
    if (this.#isTold(number)) show(found);
  }

  /** Whatever is asked so far is wanted no more. */
  drop() {
    this.#told = this.#asked + 1;
  }

  /** @param {number} number of the question */
  #isTold(number) {
    if (number < this.#told) return false;
    this.#told = number;
    return true;
  }
}
