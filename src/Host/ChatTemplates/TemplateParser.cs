using System.Runtime.CompilerServices;

namespace RepNoise.Host.ChatTemplates;

/// <summary>Reads a template's statements; expressions are in TemplateParser.Expressions.cs.</summary>
internal sealed partial class TemplateParser
{
    private readonly IReadOnlyList<Token> tokens;
    private int at;

    private TemplateParser(string source) => tokens = TemplateLexer.Read(source);

    private Token Current => tokens[at];

    /// <exception cref="TemplateFault">The template is malformed or uses something that is not supported.</exception>
    public static IReadOnlyList<Statement> Read(string source)
    {
        var parser = new TemplateParser(source);
        var statements = parser.Body(null);
        return parser.Current.Kind == TokenKind.End ? statements : throw parser.Unexpected("the end of the template");
    }

    /// <summary>Statements up to a block of one of these names, whose name is the current token then; or up to the end.</summary>
    private List<Statement> Body(Token? opened, params ReadOnlySpan<string> ends)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        var statements = new List<Statement>();
        while (Current.Kind != TokenKind.End)
        {
            var token = Take();
            if (token.Kind == TokenKind.Text)
            {
                statements.Add(new TextStatement(token.Line, token.Text));
            }
            else if (token.Kind == TokenKind.OutputBegin)
            {
                statements.Add(new OutputStatement(token.Line, Expression()));
                Expect(TokenKind.OutputEnd, "}}");
            }
            else
            {
                if (Current.Kind == TokenKind.Name && ends.Contains(Current.Text)) return statements;
                statements.Add(Block());
            }
        }

        return opened is not { } begun ? statements : throw new TemplateFault(begun.Line, $"{begun.Text} is not closed", $"{{% {ends[^1]} %}} after it");
    }

    private Statement Block()
    {
        var name = ExpectName();
        switch (name.Text)
        {
            case "if": return If(name);
            case "for": return For(name);
            case "set": return Set(name);
            case "macro": return Macro(name);
            case "break" or "continue":
                EndBlock();
                return new LoopExit(name.Line, name.Text == "break" ? Flow.Break : Flow.Continue);
            case "generation":
                EndBlock();
                var body = Body(name, "endgeneration");
                CloseBlock("endgeneration");
                return new GroupStatement(name.Line, body);
            default:
                throw name.Text.StartsWith("end", StringComparison.Ordinal) || name.Text is "else" or "elif"
                    ? new TemplateFault(name.Line, $"{name.Text} closes nothing", "a block that it belongs to")
                    : TemplateFault.Unsupported(name.Line, $"block {name.Text}");
        }
    }

    private IfStatement If(Token name)
    {
        var branches = new List<(Expression, IReadOnlyList<Statement>)>();
        List<Statement> otherwise = [];
        do
        {
            var condition = Expression();
            EndBlock();
            branches.Add((condition, Body(name, "elif", "else", "endif")));
        }
        while (TakeName("elif"));
        if (TakeName("else"))
        {
            EndBlock();
            otherwise = Body(name, "endif");
        }

        CloseBlock("endif");
        return new IfStatement(name.Line, branches, otherwise);
    }

    private ForStatement For(Token name)
    {
        var target = ReadTarget();
        if (!TakeName("in")) throw Unexpected("in");
        var items = Disjunction();
        var condition = TakeName("if") ? Expression() : null;
        if (Current is { Kind: TokenKind.Name, Text: "recursive" }) throw TemplateFault.Unsupported(Current.Line, "a recursive loop");
        EndBlock();
        var body = Body(name, "else", "endfor");
        List<Statement> otherwise = [];
        if (TakeName("else"))
        {
            EndBlock();
            otherwise = Body(name, "endfor");
        }

        CloseBlock("endfor");
        return new ForStatement(name.Line, target, items, condition, body, otherwise);
    }

    private Statement Set(Token name)
    {
        var target = ReadTarget();
        if (TakeOperator("="))
        {
            var value = Sequence();
            EndBlock();
            return new SetStatement(name.Line, target, value);
        }

        if (Current.Kind != TokenKind.BlockEnd) throw Unexpected("= or %}");
        EndBlock();
        var body = Body(name, "endset");
        CloseBlock("endset");
        return new SetBlock(name.Line, target, body);
    }

    private MacroStatement Macro(Token name)
    {
        string macro = ExpectName().Text;
        ExpectOperator("(");
        var parameters = new List<(string, Expression?)>();
        while (!TakeOperator(")"))
        {
            if (parameters.Count > 0) ExpectOperator(",");
            string parameter = ExpectName().Text;
            parameters.Add((parameter, TakeOperator("=") ? Expression() : null));
        }

        EndBlock();
        var body = Body(name, "endmacro");
        CloseBlock("endmacro");
        return new MacroStatement(name.Line, macro, parameters, body);
    }

    private Target ReadTarget()
    {
        var first = ExpectName();
        if (TakeOperator(".")) return new Target(first.Line, [first.Text], ExpectName().Text);
        var names = new List<string> { first.Text };
        while (TakeOperator(",")) names.Add(ExpectName().Text);
        return new Target(first.Line, names, null);
    }

    private void CloseBlock(string name)
    {
        if (!TakeName(name)) throw Unexpected(name);
        EndBlock();
    }

    private void EndBlock() => Expect(TokenKind.BlockEnd, "%}");

    private Token Take() => tokens[at++];

    private bool TakeName(string name) => TakeIf(Current.Kind == TokenKind.Name && Current.Text == name);

    private bool TakeOperator(string text) => TakeIf(IsOperator(text));

    private bool IsOperator(string text) => Current.Kind == TokenKind.Operator && Current.Text == text;

    private bool TakeIf(bool condition)
    {
        if (condition) at++;
        return condition;
    }

    private Token ExpectName() => Current.Kind == TokenKind.Name ? Take() : throw Unexpected("a name");

    private void ExpectOperator(string text)
    {
        if (!TakeOperator(text)) throw Unexpected(text);
    }

    private void Expect(TokenKind kind, string text)
    {
        if (!TakeIf(Current.Kind == kind)) throw Unexpected(text);
    }

    private TemplateFault Unexpected(string expected) => new(
        Current.Line,
        Current.Kind switch
        {
            TokenKind.End => "the template ends",
            TokenKind.BlockEnd => "found %}",
            TokenKind.OutputEnd => "found }}",
            _ => $"found \"{(Current.Text.Length > 40 ? Current.Text[..40] + "..." : Current.Text)}\"",
        },
        expected);
}
