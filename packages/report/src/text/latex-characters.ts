/** Commands for characters that pdfLaTeX with T1 fonts cannot typeset as they are, or would misread. */
const symbols: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '{': '\\{',
  '}': '\\}',
  $: '\\$',
  '&': '\\&',
  '#': '\\#',
  '%': '\\%',
  _: '\\_',
  '^': '\\textasciicircum{}',
  '~': '\\textasciitilde{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
  '"': '\\textquotedbl{}',
  '\u00a0': '~',
  '\u2009': '\\,',
  '\u202f': '\\,',
  '–': '--',
  '—': '---',
  '‘': '`',
  '’': "'",
  '“': '``',
  '”': "''",
  '…': '\\ldots{}',
  '†': '\\textdagger{}',
  '‡': '\\textdaggerdbl{}',
  '•': '\\textbullet{}',
  '\ufffd': '?',
};

/** In math mode. */
const mathSymbols: Readonly<Record<string, string>> = {
  '−': '-',
  '±': '\\pm',
  '∓': '\\mp',
  '×': '\\times',
  '÷': '\\div',
  '·': '\\cdot',
  '∘': '\\circ',
  '⋅': '\\cdot',
  '≥': '\\geq',
  '≤': '\\leq',
  '≠': '\\neq',
  '≈': '\\approx',
  '≡': '\\equiv',
  '∼': '\\sim',
  '≪': '\\ll',
  '≫': '\\gg',
  '∝': '\\propto',
  '∞': '\\infty',
  '∈': '\\in',
  '∉': '\\notin',
  '∅': '\\emptyset',
  '⊂': '\\subset',
  '⊆': '\\subseteq',
  '∪': '\\cup',
  '∩': '\\cap',
  '⊕': '\\oplus',
  '⊗': '\\otimes',
  '⊙': '\\odot',
  '→': '\\rightarrow',
  '←': '\\leftarrow',
  '↔': '\\leftrightarrow',
  '↑': '\\uparrow',
  '↓': '\\downarrow',
  '⇒': '\\Rightarrow',
  '⇐': '\\Leftarrow',
  '⇔': '\\Leftrightarrow',
  '↦': '\\mapsto',
  '∑': '\\sum',
  '∏': '\\prod',
  '∫': '\\int',
  '√': '\\surd',
  '∂': '\\partial',
  '∇': '\\nabla',
  '∀': '\\forall',
  '∃': '\\exists',
  '¬': '\\neg',
  '∧': '\\wedge',
  '∨': '\\vee',
  '⊥': '\\perp',
  '∥': '\\parallel',
  '★': '\\star',
  '◆': '\\diamond',
  '✓': '\\surd',
  '✔': '\\surd',
  '✗': '\\times',
  '✘': '\\times',
  '′': "'",
  '″': "''",
  ℓ: '\\ell',
  ℝ: '\\mathbf{R}',
  ℕ: '\\mathbf{N}',
  µ: '\\mu',
  '°': '^{\\circ}',
  '½': '\\frac{1}{2}',
  '¼': '\\frac{1}{4}',
  '¾': '\\frac{3}{4}',
};

const greekNames =
  'alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau upsilon phi chi psi omega'.split(
    ' ',
  );
/** Greek capitals without a command, which look like Latin ones. */
const latinLooking: Readonly<Record<string, string>> = {
  Α: 'A',
  Β: 'B',
  Ε: 'E',
  Ζ: 'Z',
  Η: 'H',
  Ι: 'I',
  Κ: 'K',
  Μ: 'M',
  Ν: 'N',
  Ο: 'O',
  Ρ: 'P',
  Τ: 'T',
  Χ: 'X',
  ο: 'o',
};
const firstSmall = 0x3b1;
const firstCapital = 0x391;

/** Latin letters with accents, in T1 fonts: Latin-1, and of Latin Extended-A what they contain. */
const accentedLetter = /^[À-ÖØ-öø-ÿĀ-ĥĨ-İĴ-ķĹ-ľŁ-ňŊŋŌ-ťŨ-ž¡¿§«»]$/u;

/** Undefined if neither a command nor a T1 font has the character. */
export function latexCharacter(character: string): string | undefined {
  if (Object.hasOwn(symbols, character)) return symbols[character];
  if (Object.hasOwn(mathSymbols, character)) return `$${mathSymbols[character]}$`;
  if (/^[\u0020-\u007e]$/.test(character) || accentedLetter.test(character)) return character;
  return greek(character) ?? raised(character);
}

function greek(character: string): string | undefined {
  if (Object.hasOwn(latinLooking, character)) return latinLooking[character];
  const code = character.codePointAt(0) ?? 0;
  const small = greekNames[code - firstSmall];
  if (small !== undefined) return `$\\${small}$`;
  const capital = greekNames[code - firstCapital];
  return capital === undefined ? undefined : `$\\${capital.charAt(0).toUpperCase()}${capital.slice(1)}$`;
}

/** Superscripts and subscripts that Unicode decomposes into one character. */
function raised(character: string): string | undefined {
  const plain = character.normalize('NFKC').replace('−', '-');
  if (!/^[\w+\-=()]$/.test(plain) || plain === character) return undefined;
  const isSubscript = /^[\u2080-\u209c\u1d62-\u1d6a\u2c7c]$/.test(character);
  return isSubscript ? `$_{${plain}}$` : `$^{${plain}}$`;
}
