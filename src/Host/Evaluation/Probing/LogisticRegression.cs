using System.Numerics.Tensors;

namespace RepNoise.Host.Evaluation.Probing;

/// <summary>
/// Multinomial logistic regression with an L2 penalty:
/// <c>sum of -log softmax(W x + b)[y] + |W|^2 / 2</c> over features that are brought to mean 0 and deviation 1. Solved by L-BFGS (Liu
/// and Nocedal, 1989) from zero: no randomness, the same result every time.
/// </summary>
public sealed class LogisticRegression
{
    private const int Memory = 10;
    private const int MaxIterations = 200;

    /// <summary>Largest entry of the gradient, by example, at which the solution is taken.</summary>
    private const double Tolerance = 1e-5;

    private readonly int classes;
    private readonly int features;
    private readonly double[] mean;
    private readonly double[] scale;
    private double[] weights;

    private LogisticRegression(int classes, int features)
    {
        (this.classes, this.features) = (classes, features);
        (mean, scale) = (new double[features], new double[features]);
        weights = new double[classes * (features + 1)];
    }

    /// <summary>Fits a model.</summary>
    /// <param name="rows">Feature vectors of one length.</param>
    /// <param name="labels">Class of each, 0 to <paramref name="classes"/> - 1.</param>
    /// <param name="classes">Number of classes.</param>
    public static LogisticRegression Fit(IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes)
    {
        var model = new LogisticRegression(classes, rows[0].Length);
        model.Standardize(rows);
        double[][] x = [.. rows.Select(model.Standardized)];
        model.Minimize(weights => model.Loss(weights, x, labels), Tolerance * rows.Count);
        return model;
    }

    /// <summary>Probability of each class.</summary>
    public double[] Probabilities(float[] row)
    {
        var scores = new double[classes];
        Scores(weights, Standardized(row), scores);
        double max = scores.Max(), sum = scores.Sum(score => Math.Exp(score - max));
        return [.. scores.Select(score => Math.Exp(score - max) / sum)];
    }

    /// <summary>The likeliest class, the first of equal ones.</summary>
    public int Predict(float[] row)
    {
        double[] probabilities = Probabilities(row);
        return Array.IndexOf(probabilities, probabilities.Max());
    }

    /// <summary>Share of rows whose class is predicted.</summary>
    public double Accuracy(IReadOnlyList<float[]> rows, IReadOnlyList<int> labels) =>
        (double)Enumerable.Range(0, rows.Count).Count(i => Predict(rows[i]) == labels[i]) / rows.Count;

    private void Standardize(IReadOnlyList<float[]> rows)
    {
        foreach (float[] row in rows)
        {
            for (int j = 0; j < features; j++) mean[j] += row[j] / (double)rows.Count;
        }

        foreach (float[] row in rows)
        {
            for (int j = 0; j < features; j++) scale[j] += (row[j] - mean[j]) * (row[j] - mean[j]) / rows.Count;
        }

        for (int j = 0; j < features; j++) scale[j] = scale[j] > 0 ? 1 / Math.Sqrt(scale[j]) : 0;
    }

    private double[] Standardized(float[] row)
    {
        var x = new double[features];
        for (int j = 0; j < features; j++) x[j] = (row[j] - mean[j]) * scale[j];
        return x;
    }

    private void Scores(double[] w, double[] x, double[] scores)
    {
        for (int k = 0; k < classes; k++)
            scores[k] = TensorPrimitives.Dot<double>(w.AsSpan(k * (features + 1), features), x) + w[k * (features + 1) + features];
    }

    private (double Value, double[] Gradient) Loss(double[] w, double[][] x, IReadOnlyList<int> labels)
    {
        var gradient = new double[w.Length];
        var scores = new double[classes];
        double value = 0;
        for (int i = 0; i < x.Length; i++)
        {
            Scores(w, x[i], scores);
            double max = scores.Max(), sum = scores.Sum(score => Math.Exp(score - max));
            value += max + Math.Log(sum) - scores[labels[i]];
            for (int k = 0; k < classes; k++)
            {
                double d = Math.Exp(scores[k] - max) / sum - (labels[i] == k ? 1 : 0);
                var part = gradient.AsSpan(k * (features + 1), features);
                TensorPrimitives.MultiplyAdd<double>(x[i], d, part, part);
                gradient[k * (features + 1) + features] += d;
            }
        }

        for (int k = 0; k < classes; k++)
        {
            var own = w.AsSpan(k * (features + 1), features);
            var part = gradient.AsSpan(k * (features + 1), features);
            value += TensorPrimitives.SumOfSquares<double>(own) / 2;
            TensorPrimitives.Add<double>(part, own, part);
        }

        return (value, gradient);
    }

    private void Minimize(Func<double[], (double Value, double[] Gradient)> loss, double tolerance)
    {
        var (value, gradient) = loss(weights);
        var steps = new List<(double[] S, double[] Y, double Rho)>();
        for (int iteration = 0; iteration < MaxIterations && TensorPrimitives.MaxMagnitude<double>(gradient) is var largest && Math.Abs(largest) > tolerance; iteration++)
        {
            double[] direction = Direction(gradient, steps);
            double slope = TensorPrimitives.Dot<double>(direction, gradient), length = steps.Count == 0 ? 1 / Math.Max(1, Math.Sqrt(-slope)) : 1;
            double[] next = new double[weights.Length];
            double nextValue;
            double[] nextGradient;
            while (true)
            {
                TensorPrimitives.MultiplyAdd<double>(direction, length, weights, next);
                (nextValue, nextGradient) = loss(next);
                if (nextValue <= value + 1e-4 * length * slope) break;
                length /= 2;
                if (length < 1e-12) return; // no descent is left at this precision
            }

            var (s, y) = (new double[next.Length], new double[next.Length]);
            TensorPrimitives.Subtract<double>(next, weights, s);
            TensorPrimitives.Subtract<double>(nextGradient, gradient, y);
            double curvature = TensorPrimitives.Dot<double>(s, y);
            if (curvature > 0) steps.Add((s, y, 1 / curvature));
            if (steps.Count > Memory) steps.RemoveAt(0);
            (weights, value, gradient) = (next, nextValue, nextGradient);
        }
    }

    /// <summary>Minus the inverse Hessian, as the last steps show it, times the gradient (two-loop recursion).</summary>
    private static double[] Direction(double[] gradient, List<(double[] S, double[] Y, double Rho)> steps)
    {
        double[] q = [.. gradient];
        var alpha = new double[steps.Count];
        for (int i = steps.Count - 1; i >= 0; i--)
        {
            alpha[i] = steps[i].Rho * TensorPrimitives.Dot<double>(steps[i].S, q);
            TensorPrimitives.MultiplyAdd<double>(steps[i].Y, -alpha[i], q, q);
        }

        if (steps.Count > 0) TensorPrimitives.Multiply<double>(q, 1 / steps[^1].Rho / TensorPrimitives.SumOfSquares<double>(steps[^1].Y), q);
        for (int i = 0; i < steps.Count; i++)
        {
            double beta = steps[i].Rho * TensorPrimitives.Dot<double>(steps[i].Y, q);
            TensorPrimitives.MultiplyAdd<double>(steps[i].S, alpha[i] - beta, q, q);
        }

        TensorPrimitives.Negate<double>(q, q);
        return q;
    }
}
