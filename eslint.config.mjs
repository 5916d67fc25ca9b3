import tseslint from "typescript-eslint";

const AMBIENT = [
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: "Take a Clock or `now`.",
  },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: "Take a Clock or `now`." },
  { selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']", message: "Take a Random." },
  {
    selector: "MemberExpression[object.name='process'][property.name='env']",
    message: "Only src/config.ts reads the environment.",
  },
];

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", ".ringmatch/**"] },
  {
    files: ["src/**/*.ts", "tag/**/*.ts", "dashboard/**/*.ts", "test/**/*.ts", "bench/**/*.ts"],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unnecessary-type-assertion": "error",
      "no-empty": "error",
      "no-console": "error",
      eqeqeq: "error",
      "prefer-const": "error",
      "max-lines": ["error", { max: 300, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
      "no-restricted-syntax": ["error", ...AMBIENT],
    },
  },
  // The browser is the ambient of the tag and of the pages.
  { files: ["tag/**/*.ts", "dashboard/**/*.ts"], rules: { "no-restricted-syntax": "off" } },
  { files: ["src/config.ts", "src/kernel/clock.ts", "src/kernel/random.ts"], rules: { "no-restricted-syntax": "off" } },
  { files: ["src/cli/**", "src/main.ts", "src/dev/**", "bench/**"], rules: { "no-console": "off" } },
  {
    files: ["test/**/*.ts", "bench/**/*.ts"],
    rules: { "max-lines-per-function": "off", "no-restricted-syntax": "off", "max-lines": "off" },
  },
);
