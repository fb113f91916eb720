/** One thing said to a person, in both languages. Terms of the vocabulary and members' names have the same shape. */
export type Said = { readonly zh: string; readonly en: string }
