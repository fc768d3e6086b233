using System.Globalization;
using System.Numerics.Tensors;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Evaluation.Probing;

/// <summary>How far the weights of a part of two models are apart.</summary>
/// <param name="L2">Euclidean distance of all its weights.</param>
/// <param name="Relative">The same as a share of the first model's norm.</param>
public sealed record Distance(double L2, double Relative);

/// <summary>Euclidean distances of two models' weights, part by part, read in pieces.</summary>
public sealed record WeightDistance(Distance Embedding, IReadOnlyList<Distance> Layers, Distance FinalNorm, Distance? Head)
{
    private const int ChunkElements = 1 << 20;
    private const string LayerPrefix = "model.layers.";

    /// <exception cref="InputException">The models do not have the same tensors.</exception>
    public static WeightDistance Of(ModelFolder a, ModelFolder b, CancellationToken stop = default)
    {
        var sums = new Dictionary<string, (double Difference, double Norm)>(StringComparer.Ordinal);
        var (x, y) = (new float[ChunkElements], new float[ChunkElements]);
        foreach (var parameter in a.Parameters)
        {
            stop.ThrowIfCancellationRequested();
            if (b.Parameters.FirstOrDefault(other => other.Name == parameter.Name)?.Shape.SequenceEqual(parameter.Shape) != true)
                throw new InputException(b.FullPath, $"it has no {parameter.Name} of shape {TensorEntry.Print(parameter.Shape)}",
                    $"a model of the same architecture as {a.FullPath}", "compare a model with one that it was made from");
            long count = parameter.Shape.Aggregate(1L, (product, size) => product * size);
            string part = Part(parameter.Name);
            var sum = sums.GetValueOrDefault(part);
            for (long offset = 0; offset < count; offset += ChunkElements)
            {
                int length = (int)Math.Min(ChunkElements, count - offset);
                a.Read(parameter.Name, offset, x.AsSpan(0, length));
                b.Read(parameter.Name, offset, y.AsSpan(0, length));
                sum.Norm += Squares(x.AsSpan(0, length));
                TensorPrimitives.Subtract(x.AsSpan(0, length), y.AsSpan(0, length), x.AsSpan(0, length));
                sum.Difference += Squares(x.AsSpan(0, length));
            }

            sums[part] = sum;
        }

        return new WeightDistance(
            Distance("model.embed_tokens.weight"),
            [.. Enumerable.Range(0, a.Config.NumHiddenLayers).Select(l => Distance(LayerPrefix + l.ToString(CultureInfo.InvariantCulture)))],
            Distance("model.norm.weight"),
            sums.ContainsKey("lm_head.weight") ? Distance("lm_head.weight") : null);

        Distance Distance(string part)
        {
            var (difference, norm) = sums[part];
            return new Distance(Math.Sqrt(difference), norm > 0 ? Math.Sqrt(difference / norm) : 0);
        }
    }

    private static string Part(string name) => name.StartsWith(LayerPrefix, StringComparison.Ordinal)
        ? name[..name.IndexOf('.', LayerPrefix.Length)]
        : name;

    private static double Squares(ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (float value in values) sum += (double)value * value;
        return sum;
    }
}
