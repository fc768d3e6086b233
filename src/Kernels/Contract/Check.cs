using System.Diagnostics.CodeAnalysis;
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

    [DoesNotReturn]
    private static void ThrowShape(string operation, string problem, string expected) =>
        throw new ShapeException(operation, problem, expected);
}
