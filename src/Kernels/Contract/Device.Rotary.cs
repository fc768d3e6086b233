namespace RepNoise.Kernels;

/// <summary>
/// Family rotary (Su et al., arXiv 2104.09864), Hugging Face's half layout: channels i and i + HS/2 of a head turn together by
/// the angle position * frequency[i]. Angles come from tables (<see cref="RotaryTables"/>), so scaled frequencies cost nothing.
/// </summary>
public abstract partial class Device
{
    /// <summary>
    /// Turns every head of x in place: (a, b) becomes (a cos - b sin, b cos + a sin); the inverse turns back, which is the
    /// backward as well.
    /// </summary>
    /// <param name="x">(N, heads * HS), in place; q, k, or both side by side.</param>
    /// <param name="cos">(P, HS / 2), state.</param>
    /// <param name="sin">(P, HS / 2), state.</param>
    /// <param name="positions">N positions, each below P.</param>
    /// <param name="inverse">True turns by the negative angle.</param>
    public void Rotary(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse)
    {
        Check.That(cos.Columns > 0 && x.Columns % (2 * cos.Columns) == 0, nameof(Rotary), $"x is {x} with tables {cos}",
            "columns of x that are a multiple of the head size, twice the tables' columns");
        Check.Shape(nameof(Rotary), sin, cos.Rows, cos.Columns);
        Check.Count(nameof(Rotary), positions, x.Rows);
        using var observed = listener is null ? default : Observe(nameof(Rotary), RotaryCost(x.Rows, x.Columns, Size(x)));
        RotaryCore(x, cos, sin, positions, inverse);
    }

    public static OpCost RotaryCost(int rows, int columns, int size) => new(3.0 * rows * columns, 2.0 * rows * columns * size);

    protected abstract void RotaryCore(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse);
}
