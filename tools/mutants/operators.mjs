import ts from 'typescript';

/** Replacements of binary and assignment operators. */
const operators = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '&&': ['||'],
  '||': ['&&'],
  '??': ['&&'],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '**': ['*'],
  '+=': ['-='],
  '-=': ['+='],
  '*=': ['/='],
  '/=': ['*='],
};

const otherMethods = { min: 'max', max: 'min', some: 'every', every: 'some', floor: 'ceil', ceil: 'floor' };
const removableCalls = new Set(['filter', 'sort', 'toSorted', 'reverse', 'slice']);

/** Replacements of one node, as `[start, end, text]`. */
export function changesOf(node, source) {
  const text = (part) => source.text.slice(part.getStart(source), part.end);
  const replaced = (part, ...texts) => texts.map((one) => [part.getStart(source), part.end, one]);
  if (ts.isBinaryExpression(node)) {
    if (node.operatorToken.kind === ts.SyntaxKind.PlusToken && [node.left, node.right].some(isText)) return [];
    return replaced(node.operatorToken, ...(operators[text(node.operatorToken)] ?? []));
  }
  if (ts.isPrefixUnaryExpression(node)) {
    if (node.operator === ts.SyntaxKind.ExclamationToken || node.operator === ts.SyntaxKind.MinusToken)
      return replaced(node, text(node.operand));
    return replaced(node, `${text(node).startsWith('++') ? '--' : '++'}${text(node.operand)}`);
  }
  if (ts.isPostfixUnaryExpression(node))
    return replaced(node, `${text(node.operand)}${text(node).endsWith('++') ? '--' : '++'}`);
  if (ts.isNumericLiteral(node)) return replaced(node, ...[1, -1].map((by) => `${Number(text(node)) + by}`));
  if (node.kind === ts.SyntaxKind.TrueKeyword) return replaced(node, 'false');
  if (node.kind === ts.SyntaxKind.FalseKeyword) return replaced(node, 'true');
  if (ts.isIfStatement(node)) return replaced(node.expression, 'true', 'false');
  if (ts.isConditionalExpression(node)) return replaced(node.condition, 'true', 'false');
  if (ts.isWhileStatement(node)) return replaced(node.expression, 'false');
  if (ts.isExpressionStatement(node) || ts.isThrowStatement(node)) return replaced(node, ';');
  if (ts.isBreakOrContinueStatement(node)) return replaced(node, ';');
  if (ts.isReturnStatement(node)) return returned(node, replaced);
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    const { name, expression } = node.expression;
    if (removableCalls.has(name.text)) return replaced(node, text(expression));
    return otherMethods[name.text] === undefined ? [] : replaced(name, otherMethods[name.text]);
  }
  return ts.isBlock(node) ? emptied(node, source) : [];
}

function returned({ expression }, replaced) {
  if (expression === undefined || (ts.isIdentifier(expression) && expression.text === 'undefined')) return [];
  return replaced(expression, 'undefined');
}

/** The body of a function of several statements that returns no value. */
function emptied(block, source) {
  const isBody = ts.isFunctionLike(block.parent) && block.parent.body === block;
  if (!isBody || block.statements.length < 2 || returnsValue(block)) return [];
  return [[block.getStart(source), block.end, '{}']];
}

function returnsValue(node) {
  if (ts.isReturnStatement(node)) return node.expression !== undefined;
  return ts.forEachChild(node, (child) => !ts.isFunctionLike(child) && returnsValue(child)) ?? false;
}

function isText(node) {
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
}
