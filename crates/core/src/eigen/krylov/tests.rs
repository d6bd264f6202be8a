//! The parts of an iteration against plain sums.

use super::*;

#[test]
fn packed_triangles_are_unpacked() {
    assert_eq!(symmetric(&[]).shape(), (0, 0));
    assert_eq!(symmetric(&[7.0]), DMatrix::from_element(1, 1, 7.0));
    let whole = symmetric(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let expected = [[1.0, 2.0, 4.0], [2.0, 3.0, 5.0], [4.0, 5.0, 6.0]];
    assert_eq!(whole, DMatrix::from_row_slice(3, 3, &expected.concat()));
}

#[test]
fn products_are_summed_over_whole_lanes_and_the_rest() {
    for count in [0, 1, 15, 16, 17, 33, 50] {
        let a: Vec<f64> = (0..count).map(|place| place as f64 - 7.0).collect();
        let b: Vec<f64> = (0..count).map(|place| 3.0 - 2.0 * place as f64).collect();
        // Whole numbers: exact in any order.
        let plain: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert_eq!(dot(&a, &b), plain, "{count}");
        let square: f64 = a.iter().map(|a| a * a).sum();
        assert_eq!(norm(&a), square.sqrt(), "{count}");
    }
}

#[test]
fn what_is_along_a_basis_is_taken_out_and_added() {
    let basis = [1.0, 0.0, 0.0, 0.0, 0.6, 0.8];
    let mut rest = [2.0, 3.0, 4.0];
    let mut along = [10.0, 20.0];
    project_out(&basis, &mut rest, &mut along);
    assert_eq!(along, [12.0, 25.0]);
    let expected = [0.0, 0.0, 0.0];
    let left: Vec<f64> = rest.iter().zip(expected).map(|(a, b)| a - b).collect();
    assert!(left.iter().all(|value| value.abs() < 1e-12), "{rest:?}");
    let mut rest = [0.0, 0.8, -0.6];
    project_out(&basis, &mut rest, &mut along);
    assert!((rest[1] - 0.8).abs() < 1e-12 && (rest[2] + 0.6).abs() < 1e-12);
}

fn limits(iterations: usize, basis: usize) -> KrylovLimits {
    KrylovLimits {
        tolerance: 1e-6,
        iterations,
        basis,
    }
}

/// An iteration on one matrix until it has nothing more to ask; the basis after each product.
fn iterated(matrix: &DMatrix<f64>, limits: KrylovLimits) -> (Krylov<f64>, Vec<usize>) {
    let shape = SiteShape {
        name: "site".into(),
        neurons: 1,
        dim: matrix.nrows(),
    };
    let mut krylov = Krylov::<f64>::new(&shape, limits, DType::F64, Some(DType::F64));
    let mut sizes = Vec::new();
    loop {
        let asked = krylov.directions();
        if asked.vectors.is_empty() {
            return (krylov, sizes);
        }
        let products: Vec<_> = asked.vectors.iter().map(|v| matrix * v).collect();
        krylov.absorb(&products);
        let neuron = &krylov.neurons[0];
        sizes.push(neuron.basis.len() / shape.dim);
        let dim = shape.dim;
        let basis = DMatrix::from_column_slice(dim, neuron.basis.len() / dim, &neuron.basis);
        let gram = basis.tr_mul(&basis);
        let unit = DMatrix::identity(gram.nrows(), gram.ncols());
        assert!((gram - unit).amax() < 1e-12, "the basis is orthonormal");
    }
}

#[test]
fn bases_grow_by_one_and_are_cut_to_the_ends_when_full() {
    // Eigenvalues that are close together at both ends.
    let values = DVector::from_fn(60, |row, _| {
        (row as f64 / 59.0 * 3.0).sin() + row as f64 * 0.05
    });
    let matrix = DMatrix::from_diagonal(&values);
    let (free, sizes) = iterated(&matrix, limits(200, 1000));
    let steps = free.iterations();
    assert!(steps > 12);
    // A vector more than there are products, and none once the ends are found.
    let grown: Vec<usize> = (2..=steps).collect();
    assert_eq!(sizes[..steps - 1], grown);
    assert_eq!(sizes[steps - 1..], [0, 0], "then one product verifies");
    let (full, sizes) = iterated(&matrix, limits(200, 10));
    // Ten products fill it: three vectors of each end and the newest are kept.
    assert_eq!(sizes[..12], [2, 3, 4, 5, 6, 7, 8, 9, 10, 7, 8, 9]);
    assert!(full.iterations() > steps);
    // Never below eight.
    let (_, sizes) = iterated(&matrix, limits(40, 1));
    assert_eq!(sizes[..10], [2, 3, 4, 5, 6, 7, 8, 7, 8, 7]);
    for found in [free, full] {
        let spectra = found.into_spectra();
        let [spectrum] = &spectra[..] else {
            panic!("{} spectra", spectra.len())
        };
        // An eigenvalue is within each residual.
        for pair in [&spectrum.min, &spectrum.max] {
            let distances = values.iter().map(|value| (value - pair.value).abs());
            let nearest = distances.fold(f64::INFINITY, f64::min);
            assert!(
                nearest <= pair.residual + 1e-12,
                "{nearest} {}",
                pair.residual
            );
        }
        assert!(spectrum.min.value < spectrum.max.value);
    }
}

#[test]
fn the_first_look_is_at_six_products() {
    // Two distinct eigenvalues: two products exhaust what there is.
    let values = DVector::from_fn(30, |row, _| if row < 15 { -1.0 } else { 2.0 });
    let (found, _) = iterated(&DMatrix::from_diagonal(&values), limits(50, 100));
    assert_eq!(found.iterations(), 2);
    // Eigenvalues all but alike converge before anybody looks.
    let values = DVector::from_fn(30, |row, _| 1.0 + 1e-9 * row as f64);
    let (found, _) = iterated(&DMatrix::from_diagonal(&values), limits(50, 100));
    assert!(found.iterations() <= 6);
    // No more than it may take.
    let values = DVector::from_fn(30, |row, _| row as f64);
    let (found, _) = iterated(&DMatrix::from_diagonal(&values), limits(3, 100));
    assert_eq!(found.iterations(), 3);
    let spectra = found.into_spectra();
    assert!(spectra[0].min.residual > 1e-3, "it says how far it is");
    // Measured, not predicted: the quotient's own residual.
    let pair = &spectra[0].max;
    let vector = DVector::from_column_slice(&pair.vector);
    let product = values.component_mul(&vector);
    let residual = (&product - &vector * pair.value).norm();
    assert!((residual - pair.residual).abs() < 1e-9);
}

#[test]
fn nothing_is_known_before_the_end() {
    let shape = SiteShape {
        name: "site".into(),
        neurons: 2,
        dim: 4,
    };
    let krylov = Krylov::<f64>::new(&shape, limits(9, 9), DType::F32, None);
    let asked = krylov.directions();
    assert_eq!((asked.vectors.len(), asked.dtype), (1, DType::F32));
    assert_eq!(asked.vectors[0].shape(), (4, 2));
    for column in asked.vectors[0].column_iter() {
        assert!((column.norm() - 1.0).abs() < 1e-12);
    }
    // Room for the vectors up to the first look.
    assert_eq!(krylov.bytes(), 2 * 4 * 7 * 8);
    assert!(krylov.into_spectra().is_empty());
}
