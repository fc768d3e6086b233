using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>
/// Adafactor (Shazeer and Stern, arXiv 1804.04235) as transformers runs it under <c>optim: adafactor</c>: the learning rate as given
/// (no scaling by the parameter, no relative step), no first moment, decay <c>1 - t^-0.8</c>, update clipped to a root mean square
/// of 1, decoupled weight decay. A matrix keeps the means of its squared gradient by row and by column, a vector all of it.
/// <para>Sums and the update run on the host, in float64 over pieces of rows, whatever the device: memory is saved, and on a GPU the
/// gradient crosses the bus three times a step.</para>
/// </summary>
internal sealed class AdafactorOptimizer : Optimizer
{
    private const double Epsilon = 1e-30;
    private const double DecayRate = -0.8;
    private const double ClipThreshold = 1;
    private const int PieceElements = 1 << 18;

    private readonly List<Slot> slots = [];
    private readonly double[] gradients;
    private readonly double[] weights;

    // Of the matrix that is being updated, long enough for the longest.
    private readonly double[] rowMeans;
    private readonly double[] columnMeans;
    private readonly double[] rowFactors;
    private readonly double[] columnFactors;

    public AdafactorOptimizer(ModelParameters parameters, TrainingArguments arguments)
        : base(parameters, arguments)
    {
        foreach (var parameter in parameters.TrainedParameters)
        {
            var rows = parameter.IsVector ? default : NewState(parameter.Rows);
            slots.Add(new Slot(parameter, rows, NewState(parameter.Columns)));
        }

        int mostRows = parameters.TrainedParameters.Max(parameter => parameter.Rows), mostColumns = parameters.TrainedParameters.Max(parameter => parameter.Columns);
        int longest = Math.Max(PieceElements, mostColumns);
        (gradients, weights) = (new double[longest], new double[longest]);
        (rowMeans, rowFactors) = (new double[mostRows], new double[mostRows]);
        (columnMeans, columnFactors) = (new double[mostColumns], new double[mostColumns]);
        State = [.. slots.SelectMany(slot => slot.State)];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State { get; }

    private protected override void Update(double learningRate)
    {
        double beta2 = 1 - Math.Pow(Steps, DecayRate);
        foreach (var slot in slots)
        {
            Means(slot, beta2);
            double norm = Math.Sqrt(SquaredUpdate(slot) / slot.Parameter.Length);
            Apply(slot, learningRate / Math.Max(1, norm / ClipThreshold), 1 - learningRate * DecayOf(slot.Parameter.Block));
        }

        Parameters.RefreshValues();
    }

    /// <summary>Updates the running means, and leaves the factors 1 / sqrt(...) of the slot's rows and columns on the host.</summary>
    private void Means(Slot slot, double beta2)
    {
        int rows = slot.Parameter.Rows, columns = slot.Parameter.Columns;
        Array.Clear(rowMeans, 0, rows);
        Array.Clear(columnMeans, 0, columns);
        ForEachRow(slot, (row, gradient) =>
        {
            for (int c = 0; c < gradient.Length; c++)
            {
                double square = gradient[c] * gradient[c] + Epsilon;
                rowMeans[row] += square / columns;
                columnMeans[c] += square / rows;
            }
        });
        Smooth(slot.Columns, columnMeans, columnFactors.AsSpan(0, columns), beta2);
        if (slot.Parameter.IsVector)
        {
            rowFactors[0] = 1;
        }
        else
        {
            Smooth(slot.Rows, rowMeans, rowFactors.AsSpan(0, rows), beta2);
            double sum = 0;
            for (int r = 0; r < rows; r++) sum += rowFactors[r];
            for (int r = 0; r < rows; r++) rowFactors[r] = Math.Sqrt(sum / rows / rowFactors[r]);
        }

        for (int c = 0; c < columns; c++) columnFactors[c] = 1 / Math.Sqrt(columnFactors[c]);
    }

    /// <summary>state = beta2 state + (1 - beta2) fresh, as the device rounds it, also in <paramref name="host"/>.</summary>
    private void Smooth(Tensor state, double[] fresh, Span<double> host, double beta2)
    {
        Device.Download(state, host);
        for (int i = 0; i < host.Length; i++) host[i] = beta2 * host[i] + (1 - beta2) * fresh[i];
        Device.Upload(host, state);
    }

    private double SquaredUpdate(Slot slot)
    {
        double sum = 0;
        ForEachRow(slot, (row, gradient) =>
        {
            double squares = 0;
            for (int c = 0; c < gradient.Length; c++)
            {
                double update = gradient[c] * columnFactors[c];
                squares += update * update;
            }

            sum += squares * rowFactors[row] * rowFactors[row];
        });
        return sum;
    }

    private void Apply(Slot slot, double rate, double shrink)
    {
        int piece = RowsOfPiece(slot.Parameter);
        for (int first = 0; first < slot.Parameter.Rows; first += piece)
        {
            int count = Math.Min(piece, slot.Parameter.Rows - first), columns = slot.Parameter.Columns;
            var master = slot.Parameter.Master.RowRange(first, count);
            var g = Gradient(slot, first, count);
            var w = weights.AsSpan(0, count * columns);
            Device.Download(master, w);
            for (int i = 0; i < w.Length; i++)
                w[i] = w[i] * shrink - rate * g[i] * rowFactors[first + i / columns] * columnFactors[i % columns];
            Device.Upload(w, master);
        }
    }

    private void ForEachRow(Slot slot, RowAction action)
    {
        int piece = RowsOfPiece(slot.Parameter), columns = slot.Parameter.Columns;
        for (int first = 0; first < slot.Parameter.Rows; first += piece)
        {
            int count = Math.Min(piece, slot.Parameter.Rows - first);
            var values = Gradient(slot, first, count);
            for (int r = 0; r < count; r++) action(first + r, values.Slice(r * columns, columns));
        }
    }

    /// <summary>Rows of the clipped gradient; valid until the next are asked for.</summary>
    private Span<double> Gradient(Slot slot, int first, int count)
    {
        var values = gradients.AsSpan(0, count * slot.Parameter.Columns);
        Device.Download(slot.Parameter.Gradient.RowRange(first, count), values);
        double factor = KnownGradientFactor;
        foreach (ref double value in values) value *= factor;
        return values;
    }

    private static int RowsOfPiece(Parameter parameter) => Math.Max(1, PieceElements / parameter.Columns);

    private Tensor NewState(int length) => Tensor.Of(Own(Device.Allocate(BufferKind.State, length, MemoryCategory.Moments)), 1, length);

    private delegate void RowAction(int row, ReadOnlySpan<double> gradient);

    private sealed record Slot(Parameter Parameter, Tensor Rows, Tensor Columns)
    {
        public IEnumerable<OptimizerTensor> State => Parameter.IsVector
            ? [new($"{Parameter.Name}.exp_avg_sq", Columns)]
            : [new($"{Parameter.Name}.exp_avg_sq_row", Rows), new($"{Parameter.Name}.exp_avg_sq_col", Columns)];
    }
}
