using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace RepNoise.Kernels;

/// <summary>Argument checks of the contract: one line at the call, the throw kept off the hot path.</summary>
internal static class Check
{
    public static void Shape(string operation, Tensor tensor, int rows, int columns, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (tensor.IsEmpty || tensor.Rows != rows || tensor.Columns != columns)
            ThrowShape(operation, $"{name} is {tensor}", $"({rows}, {columns})");
    }

    /// <summary>The shape where the tensor is given; an absent one passes.</summary>
    public static void OptionalShape(string operation, Tensor tensor, int rows, int columns, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (!tensor.IsEmpty) Shape(operation, tensor, rows, columns, name);
    }

    public static void Count(string operation, Indices indices, int count, [CallerArgumentExpression(nameof(indices))] string name = "")
    {
        if (indices.IsEmpty || indices.Count != count) ThrowShape(operation, $"{name} has {indices.Count} values", $"{count}");
    }

    public static void Range(string operation, long start, long count, long length)
    {
        if (start < 0 || count < 0 || start + count > length)
            ThrowShape(operation, $"range {start} to {start + count}", $"a range within 0 to {length}");
    }

    public static void That([DoesNotReturnIf(false)] bool condition, string operation, string problem, string expected)
    {
        if (!condition) ThrowShape(operation, problem, expected);
    }

    public static void That(
        [DoesNotReturnIf(false)] bool condition,
        string operation,
        [InterpolatedStringHandlerArgument(nameof(condition))] ref FailureMessage problem,
        string expected)
    {
        if (!condition) ThrowShape(operation, problem.Text, expected);
    }

    public static void That(
        [DoesNotReturnIf(false)] bool condition,
        string operation,
        [InterpolatedStringHandlerArgument(nameof(condition))] ref FailureMessage problem,
        [InterpolatedStringHandlerArgument(nameof(condition))] ref FailureMessage expected)
    {
        if (!condition) ThrowShape(operation, problem.Text, expected.Text);
    }

    [DoesNotReturn]
    private static void ThrowShape(string operation, string problem, string expected) =>
        throw new ShapeException(operation, problem, expected);
}

/// <summary>A message that is put together where its check fails and costs nothing, no allocation above all, where it passes.</summary>
[InterpolatedStringHandler]
internal ref struct FailureMessage
{
    private DefaultInterpolatedStringHandler text;

    public FailureMessage(int literalLength, int formattedCount, bool condition, out bool isNeeded)
    {
        isNeeded = !condition;
        if (isNeeded) text = new DefaultInterpolatedStringHandler(literalLength, formattedCount, CultureInfo.InvariantCulture);
    }

    public string Text => text.ToStringAndClear();

    public void AppendLiteral(string value) => text.AppendLiteral(value);

    public void AppendFormatted<T>(T value) => text.AppendFormatted(value);
}
