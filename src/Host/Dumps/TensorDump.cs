using System.Globalization;
using System.Runtime.InteropServices;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Dumps;

/// <summary>
/// Writes the tensors that a device is shown during chosen steps. Each stretch of a step (a micro-batch, the optimizer's update, a
/// forward pass) becomes one safetensors file whose tensors stand in the order in which they were computed; a tensor's name is the
/// scopes' names within the stretch and its own: <c>forward.layer.3.mlp</c>. <see cref="DumpIndex"/> lists all.
/// <para>Values are written as the device holds them (fp32, fp64 or bf16), NaN and infinity included; one row is a vector.</para>
/// </summary>
public sealed class TensorDump : IOperationObserver, IDisposable
{
    private const int ChunkElements = 1 << 20;
    private const int MaxDepth = 64;

    private readonly Device device;
    private readonly DumpOptions options;
    private readonly DumpIndex index;
    private readonly (string? Name, int Index)[] scopes = new (string?, int)[MaxDepth];
    private readonly List<TensorSpec> tensors = [];
    private int depth;
    private FileStream? data;

    /// <summary>Creates the folder and watches <paramref name="device"/> until disposed.</summary>
    /// <exception cref="Diagnostics.InputException">The folder is not empty.</exception>
    internal TensorDump(Device device, DumpOptions options)
    {
        (this.device, this.options) = (device, options);
        options.CheckFolder();
        Directory.CreateDirectory(options.Folder);
        index = new DumpIndex(options.Folder, device.Description);
        device.Observer = this;
    }

    /// <summary>Tensors written so far.</summary>
    public int Count => index.TensorCount;

    /// <inheritdoc/>
    public bool WantsTensors => depth > 1 && scopes[0].Name == Phase.Step && options.Steps.Contains(scopes[0].Index);

    /// <inheritdoc/>
    public void BeginOperation(string operation, OpCost cost) => Begin(null, -1);

    /// <inheritdoc/>
    public void BeginScope(string name, int index) => Begin(name, index);

    /// <inheritdoc/>
    public void End()
    {
        depth--;
        if (depth == 1 && data is not null) FinishFile();
    }

    /// <inheritdoc/>
    public void OnTensor(string name, Tensor tensor)
    {
        var format = device.FormatOf(tensor.Buffer.Kind);
        var type = format switch { NumberFormat.Float64 => DType.F64, NumberFormat.BFloat16 => DType.BF16, _ => DType.F32 };
        if (!Add(name, type, tensor.Rows == 1 ? [tensor.Columns] : [tensor.Rows, tensor.Columns])) return;
        int rows = Math.Max(1, ChunkElements / Math.Max(1, tensor.Columns));
        for (int row = 0; row < tensor.Rows; row += rows) Write(tensor.RowRange(row, Math.Min(rows, tensor.Rows - row)), type);
    }

    /// <inheritdoc/>
    public void OnValues(string name, ReadOnlySpan<double> values)
    {
        if (Add(name, DType.F64, [values.Length])) data!.Write(MemoryMarshal.AsBytes(values));
    }

    /// <inheritdoc/>
    public void OnValues(string name, ReadOnlySpan<int> values)
    {
        if (Add(name, DType.I32, [values.Length])) data!.Write(MemoryMarshal.AsBytes(values));
    }

    /// <summary>Leaves the device; a file that was not finished, because its step failed, is written as far as it came.</summary>
    public void Dispose()
    {
        device.Observer = null;
        if (data is not null) FinishFile();
    }

    private void Begin(string? name, int index)
    {
        scopes[depth] = (name, index);
        depth++;
    }

    /// <summary>Notes the next tensor of the file; false where it is of a part that was not asked for.</summary>
    private bool Add(string name, DType type, long[] shape)
    {
        string full = FullName(name);
        if (!IsWanted(full)) return false;
        data ??= new FileStream(
            Path.Combine(options.Folder, ".data"), FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
        tensors.Add(new TensorSpec(full, type, shape));
        return true;
    }

    private string FullName(string name)
    {
        var parts = new List<string>();
        foreach (var (scope, number) in scopes.AsSpan(2, depth - 2))
        {
            if (scope is null) continue;
            parts.Add(number < 0 ? scope : string.Create(CultureInfo.InvariantCulture, $"{scope}.{number}"));
        }

        parts.Add(name);
        string full = string.Join('.', parts);
        int again = tensors.Count(tensor => tensor.Name == full || tensor.Name.StartsWith(full + "#", StringComparison.Ordinal));
        return again == 0 ? full : string.Create(CultureInfo.InvariantCulture, $"{full}#{again + 1}");
    }

    /// <summary>What belongs to no part, the loss terms and the gradient's norm, is a few numbers and always written.</summary>
    private bool IsWanted(string name)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        return options.Parts.Count == 0
            || !Enum.TryParse<DumpPart>(dot < 0 ? name : name[..dot], ignoreCase: true, out var part)
            || options.Parts.Contains(part);
    }

    private void Write(Tensor rows, DType type)
    {
        if (type == DType.F64)
        {
            var values = new double[rows.Length];
            device.Download(rows, values);
            data!.Write(MemoryMarshal.AsBytes(values.AsSpan()));
            return;
        }

        var floats = new float[rows.Length];
        device.Download(rows, floats);
        if (type == DType.F32)
        {
            data!.Write(MemoryMarshal.AsBytes(floats.AsSpan()));
            return;
        }

        // The device rounded these to bf16 already, so the upper halves hold all of them, NaN included.
        var halves = new ushort[floats.Length];
        for (int i = 0; i < halves.Length; i++) halves[i] = (ushort)(BitConverter.SingleToUInt32Bits(floats[i]) >> 16);
        data!.Write(MemoryMarshal.AsBytes(halves.AsSpan()));
    }

    /// <summary>The header names every tensor, so it can be written only now: before the values, which have waited in a file.</summary>
    private void FinishFile()
    {
        var (step, section) = (scopes[0].Index, scopes[1]);
        string stretch = section.Index < 0 ? section.Name! : string.Create(CultureInfo.InvariantCulture, $"{section.Name}-{section.Index}");
        string name = string.Create(CultureInfo.InvariantCulture, $"step-{step:000000}/{stretch}.safetensors");
        string path = Path.Combine(options.Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using (var writer = SafetensorsWriter.Create(path, tensors, new Dictionary<string, string>()))
        {
            data!.Position = 0;
            byte[] buffer = new byte[1 << 20];
            for (int read; (read = data.Read(buffer)) > 0;) WritePieces(writer, buffer.AsSpan(0, read));
            writer.Finish();
        }

        data.Dispose();
        data = null;
        index.Add(step, stretch, name, tensors);
        tensors.Clear();
    }

    /// <summary>A piece may reach into the tensors that follow.</summary>
    private void WritePieces(SafetensorsWriter writer, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int piece = (int)Math.Min(bytes.Length, writer.Lacking);
            writer.Write(bytes[..piece]);
            bytes = bytes[piece..];
        }
    }
}
