/**
 * What the text of one request may hold. A text is parsed and checked in one go, without a turn for anybody else, so
 * these are what keeps a reader from holding up its node.
 */
export const textLimits = {
  /** Characters of a request. */
  length: 500_000,
  statements: 1_000,
  /** Fields that one SELECT writes out, wildcards counting as one. */
  fields: 1_000,
  /** Sources that one statement, or one subquery, writes out. */
  sources: 500,
  /** SELECTs within each other. */
  subqueries: 20,
} as const
