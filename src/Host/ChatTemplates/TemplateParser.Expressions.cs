using System.Globalization;
using System.Runtime.CompilerServices;

namespace RepNoise.Host.ChatTemplates;

/// <summary>Expressions, from the loosest binding to the tightest, in Jinja's order.</summary>
internal sealed partial class TemplateParser
{
    /// <summary>An expression, or several with commas between them as a list.</summary>
    private Expression Sequence()
    {
        var first = Expression();
        if (!IsOperator(",")) return first;
        var items = new List<Expression> { first };
        while (TakeOperator(",")) items.Add(Expression());
        return new ListLiteral(first.Line, items);
    }

    private Expression Expression()
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        var value = Disjunction();
        while (TakeName("if"))
        {
            var condition = Disjunction();
            value = new Choice(value.Line, condition, value, TakeName("else") ? Expression() : null);
        }

        return value;
    }

    private Expression Disjunction()
    {
        var left = Conjunction();
        while (TakeName("or")) left = new Logical(left.Line, false, left, Conjunction());
        return left;
    }

    private Expression Conjunction()
    {
        var left = Inversion();
        while (TakeName("and")) left = new Logical(left.Line, true, left, Inversion());
        return left;
    }

    private Expression Inversion()
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        int line = Current.Line;
        return TakeName("not") ? new Negation(line, Inversion()) : ReadComparison();
    }

    private Expression ReadComparison()
    {
        var first = Sum();
        var rest = new List<(string, Expression)>();
        while (true)
        {
            string? symbol = Current.Kind == TokenKind.Operator && Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=" ? Take().Text
                : TakeName("in") ? "in"
                : Current is { Kind: TokenKind.Name, Text: "not" } && tokens[at + 1] is { Kind: TokenKind.Name, Text: "in" } ? "not in"
                : null;
            if (symbol is null) return rest.Count == 0 ? first : new Comparison(first.Line, first, rest);
            if (symbol == "not in") at += 2;
            rest.Add((symbol, Sum()));
        }
    }

    private Expression Sum() => LeftToRight(Concatenation, "+", "-");

    private Expression Concatenation() => LeftToRight(Product, "~");

    private Expression Product() => LeftToRight(Power, "*", "/", "//", "%");

    private Expression Power() => LeftToRight(Unary, "**");

    private Expression LeftToRight(Func<Expression> operand, params string[] symbols)
    {
        var left = operand();
        while (Current.Kind == TokenKind.Operator && symbols.Contains(Current.Text)) left = new Binary(Current.Line, Take().Text, left, operand());
        return left;
    }

    private Expression Unary()
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        int line = Current.Line;
        if (TakeOperator("-")) return Filters(new Sign(line, true, UnaryOperand()));
        if (TakeOperator("+")) return Filters(new Sign(line, false, UnaryOperand()));
        return Filters(Postfix(Primary()));
    }

    private Expression UnaryOperand() => IsOperator("-") || IsOperator("+") ? Unary() : Postfix(Primary());

    private Expression Primary()
    {
        var token = Current;
        switch (token.Kind)
        {
            case TokenKind.Name: return Name();
            case TokenKind.String:
                string text = "";
                while (Current.Kind == TokenKind.String) text += Take().Text;
                return new Constant(token.Line, text);
            case TokenKind.Integer:
                return long.TryParse(Take().Text, NumberStyles.None, CultureInfo.InvariantCulture, out long whole)
                    ? new Constant(token.Line, whole)
                    : throw new TemplateFault(token.Line, "a number is too large", "numbers of 64 bits");
            case TokenKind.Real: return new Constant(token.Line, double.Parse(Take().Text, CultureInfo.InvariantCulture));
        }

        if (TakeOperator("(")) return Parenthesis(token.Line);
        if (TakeOperator("[")) return new ListLiteral(token.Line, Items("]"));
        return TakeOperator("{") ? ReadMap(token.Line) : throw Unexpected("a value");
    }

    private Expression Name()
    {
        var token = Take();
        return token.Text switch
        {
            "true" or "True" => new Constant(token.Line, true),
            "false" or "False" => new Constant(token.Line, false),
            "none" or "None" => new Constant(token.Line, null),
            _ => new NameReference(token.Line, token.Text),
        };
    }

    private Expression Parenthesis(int line)
    {
        if (TakeOperator(")")) return new ListLiteral(line, []);
        var value = Expression();
        if (TakeOperator(")")) return value;
        ExpectOperator(",");
        return new ListLiteral(line, [value, .. Items(")")]);
    }

    private List<Expression> Items(string close)
    {
        var items = new List<Expression>();
        while (!TakeOperator(close))
        {
            items.Add(Expression());
            if (!IsOperator(close)) ExpectOperator(",");
        }

        return items;
    }

    private MapLiteral ReadMap(int line)
    {
        var items = new List<(Expression, Expression)>();
        while (!TakeOperator("}"))
        {
            var key = Expression();
            ExpectOperator(":");
            items.Add((key, Expression()));
            if (!IsOperator("}")) ExpectOperator(",");
        }

        return new MapLiteral(line, items);
    }

    private Expression Postfix(Expression value)
    {
        while (true)
        {
            int line = Current.Line;
            if (TakeOperator(".")) value = new Member(line, value, new Constant(line, Current.Kind == TokenKind.Integer ? long.Parse(Take().Text, CultureInfo.InvariantCulture) : ExpectName().Text), tokens[at - 1].Kind == TokenKind.Name);
            else if (TakeOperator("[")) value = Subscript(line, value);
            else if (TakeOperator("(")) value = new Call(line, value, ReadArguments());
            else return value;
        }
    }

    private Expression Subscript(int line, Expression value)
    {
        var first = IsOperator(":") ? null : Expression();
        if (!IsOperator(":"))
        {
            ExpectOperator("]");
            return new Member(line, value, first!, false);
        }

        var bounds = new Expression?[3];
        bounds[0] = first;
        for (int i = 1; i < 3 && TakeOperator(":"); i++) bounds[i] = IsOperator(":") || IsOperator("]") ? null : Expression();
        ExpectOperator("]");
        return new Slice(line, value, bounds[0], bounds[1], bounds[2]);
    }

    private Arguments ReadArguments()
    {
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        while (!TakeOperator(")"))
        {
            if (Current.Kind == TokenKind.Name && tokens[at + 1] is { Kind: TokenKind.Operator, Text: "=" })
            {
                string name = Take().Text;
                at++;
                named.Add((name, Expression()));
            }
            else
            {
                if (IsOperator("*") || IsOperator("**")) throw TemplateFault.Unsupported(Current.Line, $"{Current.Text} in a call");
                positional.Add(Expression());
            }

            if (!IsOperator(")")) ExpectOperator(",");
        }

        return new Arguments(positional, named);
    }

    private Expression Filters(Expression value)
    {
        while (true)
        {
            int line = Current.Line;
            if (TakeOperator("|"))
            {
                string name = ExpectName().Text;
                value = new Filter(line, value, name, TakeOperator("(") ? ReadArguments() : Arguments.None);
            }
            else if (TakeName("is"))
            {
                value = ReadTest(line, value);
            }
            else if (TakeOperator("("))
            {
                value = new Call(line, value, ReadArguments());
            }
            else
            {
                return value;
            }
        }
    }

    private Test ReadTest(int line, Expression value)
    {
        bool isNegated = TakeName("not");
        string name = ExpectName().Text;
        if (TakeOperator("(")) return new Test(line, value, name, ReadArguments(), isNegated);
        bool hasArgument = Current.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Real
            || (Current.Kind == TokenKind.Name && Current.Text is not ("else" or "or" or "and" or "is" or "if" or "in" or "not"))
            || IsOperator("[") || IsOperator("{");
        return new Test(line, value, name, hasArgument ? new Arguments([Postfix(Primary())], []) : Arguments.None, isNegated);
    }
}
